"""Vendor files to arrays and points on disk."""


rule import_image:
    output:
        record="<results>/work/{sample}/import_image.json",
        histograms="<results>/work/{sample}/histograms.npz",
    log:
        "<logs>/{sample}/import_image.log",
    conda:
        "../../envs/core.yaml"
    threads: workers_of("import_image")
    resources:
        mem_mb=memory_of("import_image"),
        runtime=minutes_of("import_image"),
    params:
        results=results_folder,
        digest=digest_of("import_image"),
    script:
        "../scripts/import_image.py"


rule import_transcripts:
    output:
        record="<results>/work/{sample}/import_transcripts.json",
    log:
        "<logs>/{sample}/import_transcripts.log",
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=memory_of("import_transcripts"),
        runtime=minutes_of("import_transcripts"),
    params:
        results=results_folder,
        digest=digest_of("import_transcripts"),
    script:
        "../scripts/import_transcripts.py"


rule survey_image:
    input:
        histograms="<results>/work/{sample}/histograms.npz",
    output:
        survey="<results>/work/{sample}/survey.json",
    log:
        "<logs>/{sample}/survey_image.log",
    conda:
        "../../envs/core.yaml"
    resources:
        mem_mb=memory_of("survey_image"),
        runtime=minutes_of("survey_image"),
    params:
        results=results_folder,
        digest=digest_of("survey_image"),
    script:
        "../scripts/survey_image.py"
