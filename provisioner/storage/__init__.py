"""
Where small files live between runs: on disk, in an object store, in a git branch, behind HTTP.

One protocol, a module per backend.  An address says which:

    path                      a folder on this machine               local
    s3://bucket/prefix        S3 and what speaks like it             object_store
    gs://bucket/prefix        Google Cloud Storage                   gcs
    az://container/prefix     Azure Blob Storage                     object_store
    git+branch:NAME           an orphan branch of this repository    git_branch
    https://host/path         the HTTP protocol for Terraform state  http_backend

Each module offers `backend_at(address, *, root, environ, clock) -> Backend`, which opens
nothing and sends nothing: *address* is as it was written, *root* the folder it is relative to (the
repository, for git), *environ* has the credentials and endpoints, *clock* tells the time.  It
raises StateError for an address that makes no sense or an extra that is not installed.
`http://` goes to `http_backend` as well, which takes it for loopback alone.  Only `address`
imports these modules, by name, when one is asked for.

A module implements `Files`, and `lease.LeaseBackend` adds a lock that a dead run cannot keep; a
folder, and a server that has locks of its own, do without.

A backend knows bytes, versions and locks; what the bytes mean is somebody else's business.
Credentials come from the environment, and a host that receives one never from a manifest.
"""

from provisioner.storage.address import is_remote, open_backend, split_file
from provisioner.storage.protocol import Backend, Lock, OnWait, StoredFile

__all__ = ["Backend", "Lock", "OnWait", "StoredFile", "is_remote", "open_backend", "split_file"]
