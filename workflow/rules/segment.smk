"""Pass 1: nuclei."""


rule segment_pack:
    input:
        survey="<results>/work/{sample}/survey.json",
    output:
        record="<results>/work/{sample}/segment_pack/{pack}.json",
    log:
        "<logs>/{sample}/segment_pack/{pack}.log",
    conda:
        "../../envs/core.yaml"
    threads: workers_of("segment_pack")
    resources:
        mem_mb=memory_of("segment_pack"),
        runtime=minutes_of("segment_pack"),
    params:
        results=results_folder,
        digest=digest_of("segment_pack"),
    script:
        "../scripts/segment_pack.py"


rule stitch_labels:
    input:
        packs=packs_of("segment_pack"),
    output:
        record="<results>/work/{sample}/stitch_labels.json",
    log:
        "<logs>/{sample}/stitch_labels.log",
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=memory_of("stitch_labels"),
        runtime=minutes_of("stitch_labels"),
    params:
        results=results_folder,
        digest=digest_of("stitch_labels"),
    script:
        "../scripts/stitch_labels.py"
