"""
Where small files live between runs: on disk, in an object store, in a git branch, behind HTTP.

One protocol, a module per home.  An address says which:

    path                      a folder on this machine               disk
    s3://bucket/prefix        S3 and what speaks like it             store
    gs://bucket/prefix        Google Cloud Storage                   google
    az://container/prefix     Azure Blob Storage                     store
    git+branch:NAME           an orphan branch of this repository    git
    https://host/path         the HTTP protocol for Terraform state  web

A home knows bytes, versions and locks; what the bytes mean is somebody else's business.
Credentials come from the environment, and a host that receives one never from a manifest.
"""
