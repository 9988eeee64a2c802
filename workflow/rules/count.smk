"""Samples without images: reads to counts, and counts to tables of cells."""


rule build_index:
    output:
        index="<results>/work/cohort/index/transcripts.idx",
        genes="<results>/work/cohort/index/transcripts_to_genes.tsv",
    log:
        "<logs>/build_index.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("build_index"),
        runtime=minutes_of("build_index"),
    params:
        results=results_folder,
        digest=digest_of("build_index"),
    script:
        "../scripts/build_index.py"


rule count_reads:
    input:
        index=index_of,
    output:
        matrix="<results>/work/{sample}/counts/matrix.mtx.gz",
        barcodes="<results>/work/{sample}/counts/barcodes.tsv.gz",
        features="<results>/work/{sample}/counts/features.tsv.gz",
        record="<results>/work/{sample}/count_reads.json",
    log:
        "<logs>/{sample}/count_reads.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("count_reads"),
        runtime=minutes_of("count_reads"),
    params:
        results=results_folder,
        digest=digest_of("count_reads"),
    script:
        "../scripts/count_reads.py"


rule import_counts:
    input:
        counts=counted_reads_of,
    output:
        table="<results>/work/{sample}/counts.h5ad",
        record="<results>/work/{sample}/import_counts.json",
    log:
        "<logs>/{sample}/import_counts.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("import_counts"),
        runtime=minutes_of("import_counts"),
    params:
        results=results_folder,
        digest=digest_of("import_counts"),
    script:
        "../scripts/import_counts.py"
