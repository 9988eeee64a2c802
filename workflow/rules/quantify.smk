"""Pass 2: cells, what is measured in them, and the table of a sample."""


rule quantify_pack:
    input:
        labels="<results>/work/{sample}/stitch_labels.json",
        # local labels may have been removed with these after an earlier run
        segmented=packs_of("segment_pack"),
        points=points_of,
        histograms="<results>/work/{sample}/histograms.npz",
    output:
        record="<results>/work/{sample}/quantify_pack/{pack}.json",
    log:
        "<logs>/{sample}/quantify_pack/{pack}.log",
    conda:
        "../../envs/core.yaml"
    threads: workers_of("quantify_pack")
    resources:
        mem_mb=memory_of("quantify_pack"),
        runtime=minutes_of("quantify_pack"),
    params:
        results=results_folder,
        digest=digest_of("quantify_pack"),
    script:
        "../scripts/quantify_pack.py"


rule build_pyramid:
    input:
        packs=packs_of("quantify_pack"),
    output:
        record="<results>/work/{sample}/build_pyramid.json",
        image="<results>/{sample}/image.ome.zarr/zarr.json",
    log:
        "<logs>/{sample}/build_pyramid.log",
    conda:
        "../../envs/core.yaml"
    threads: workers_of("build_pyramid")
    resources:
        mem_mb=memory_of("build_pyramid"),
        runtime=minutes_of("build_pyramid"),
    params:
        results=results_folder,
        digest=digest_of("build_pyramid"),
    script:
        "../scripts/build_pyramid.py"


rule certify_seams:
    input:
        labels="<results>/work/{sample}/stitch_labels.json",
        packs=packs_of("quantify_pack"),
    output:
        seams="<results>/{sample}/seams.json",
    log:
        "<logs>/{sample}/certify_seams.log",
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=memory_of("certify_seams"),
        runtime=minutes_of("certify_seams"),
    params:
        results=results_folder,
        digest=digest_of("certify_seams"),
    script:
        "../scripts/certify_seams.py"


rule build_table:
    input:
        packs=packs_of("quantify_pack"),
        histograms="<results>/work/{sample}/histograms.npz",
    output:
        table="<results>/work/{sample}/table.h5ad",
        spots=["<results>/work/{sample}/spots.h5ad"] if HAS_SPOTS else [],
        numbers="<results>/work/{sample}/build_table.json",
    log:
        "<logs>/{sample}/build_table.log",
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=memory_of("build_table"),
        runtime=minutes_of("build_table"),
    params:
        results=results_folder,
        digest=digest_of("build_table"),
    script:
        "../scripts/build_table.py"


rule build_outlines:
    input:
        packs=packs_of("quantify_pack"),
    output:
        outlines="<results>/{sample}/cells.parquet",
        record="<results>/work/{sample}/build_outlines.json",
    log:
        "<logs>/{sample}/build_outlines.log",
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=memory_of("build_outlines"),
        runtime=minutes_of("build_outlines"),
    params:
        results=results_folder,
        digest=digest_of("build_outlines"),
    script:
        "../scripts/build_outlines.py"
