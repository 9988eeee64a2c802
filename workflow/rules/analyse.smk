"""From the samples' tables to the cohort's."""


rule assess_quality:
    input:
        table=raw_table_of,
        numbers=numbers_of,
        spots=["<results>/work/{sample}/spots.h5ad"] if HAS_SPOTS else [],
    output:
        table="<results>/{sample}/cells.h5ad",
        summary="<results>/work/{sample}/assess_quality.json",
        spots=(
            [
                "<results>/{sample}/spots.h5ad",
                "<results>/work/{sample}/assess_spots.json",
            ]
            if HAS_SPOTS
            else []
        ),
    log:
        "<logs>/{sample}/assess_quality.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("assess_quality"),
        runtime=minutes_of("assess_quality"),
    params:
        results=results_folder,
        digest=digest_of("assess_quality"),
    script:
        "../scripts/assess_quality.py"


rule join_modalities:
    input:
        table="<results>/{sample}/cells.h5ad",
    output:
        modalities="<results>/{sample}/cells.h5mu",
    log:
        "<logs>/{sample}/join_modalities.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("join_modalities"),
        runtime=minutes_of("join_modalities"),
    params:
        results=results_folder,
        digest=digest_of("join_modalities"),
    script:
        "../scripts/join_modalities.py"


rule profile_wells:
    input:
        table="<results>/{sample}/cells.h5ad",
    output:
        wells="<results>/{sample}/wells.h5ad",
    log:
        "<logs>/{sample}/profile_wells.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("profile_wells"),
        runtime=minutes_of("profile_wells"),
    params:
        results=results_folder,
        digest=digest_of("profile_wells"),
    script:
        "../scripts/profile_wells.py"


rule integrate_cohort:
    input:
        tables=per_sample("<results>/{sample}/cells.h5ad"),
        spots=per_sample("<results>/{sample}/spots.h5ad") if HAS_SPOTS else [],
    output:
        table="<results>/work/cohort/joined.h5ad",
    log:
        "<logs>/integrate_cohort.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("integrate_cohort"),
        runtime=minutes_of("integrate_cohort"),
    params:
        results=results_folder,
        digest=digest_of("integrate_cohort"),
    script:
        "../scripts/integrate_cohort.py"


rule analyse:
    input:
        table="<results>/work/cohort/joined.h5ad",
    output:
        table="<results>/work/cohort/analysed.h5ad",
        markers="<results>/work/cohort/markers.tsv",
    log:
        "<logs>/analyse.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("analyse"),
        runtime=minutes_of("analyse"),
    params:
        results=results_folder,
        digest=digest_of("analyse"),
    script:
        "../scripts/analyse.py"


rule annotate:
    input:
        table="<results>/work/cohort/analysed.h5ad",
    output:
        table="<results>/cohort/cells.h5ad",
        pseudobulk="<results>/cohort/pseudobulk.h5ad",
        composition="<results>/cohort/composition.tsv",
        structures=["<results>/cohort/structures.tsv"] if HAS_STRUCTURES else [],
        neighbourhood="<results>/work/cohort/neighbourhood.tsv",
    log:
        "<logs>/annotate.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("annotate"),
        runtime=minutes_of("annotate"),
    params:
        results=results_folder,
        digest=digest_of("annotate"),
    script:
        "../scripts/annotate.py"
