"""The page for people."""


rule report:
    input:
        table="<results>/cohort/cells.h5ad",
        omics=OMICS_RESULTS,
        markers="<results>/work/cohort/markers.tsv",
        images=where_planned(
            "build_pyramid", "<results>/{sample}/image.ome.zarr/zarr.json"
        ),
        modalities=where_planned("join_modalities", "<results>/{sample}/cells.h5mu"),
        wells=where_planned("profile_wells", "<results>/{sample}/wells.h5ad"),
        outlines=where_planned("build_outlines", "<results>/{sample}/cells.parquet"),
        seams=where_planned("certify_seams", "<results>/{sample}/seams.json"),
    output:
        report="<results>/report.html",
        resources="<results>/metrics/resources.tsv",
    log:
        "<logs>/report.log",
    conda:
        "../../envs/omics.yaml"
    resources:
        mem_mb=memory_of("report"),
        runtime=minutes_of("report"),
    params:
        results=results_folder,
        digest=digest_of("report"),
    script:
        "../scripts/report.py"
