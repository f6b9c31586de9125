"""
Where small files live between runs: on disk, in an object store, in a git branch, behind HTTP.

One protocol, a module per home.  An address says which:

    path                      a folder on this machine               disk
    s3://bucket/prefix        S3 and what speaks like it             store
    gs://bucket/prefix        Google Cloud Storage                   google
    az://container/prefix     Azure Blob Storage                     store
    git+branch:NAME           an orphan branch of this repository    git
    https://host/path         the HTTP protocol for Terraform state  web

Each module offers `home_at(address, *, root, environ, clock) -> Home`, which opens nothing and
asks nobody: *address* is as it was written, *root* the folder it is relative to (the
repository, for git), *environ* has the credentials and endpoints, *clock* tells the time.  It
raises StateError for an address that makes no sense or an extra that is not installed.
`http://` goes to `web` as well, which takes it for loopback alone.  Only `address` imports these
modules, by name, when one is asked for.

A module implements `Files`, and `lease.Leased` makes a home of them by a lock that a dead run
cannot keep; a folder, and a server that has locks of its own, do without.

A home knows bytes, versions and locks; what the bytes mean is somebody else's business.
Credentials come from the environment, and a host that receives one never from a manifest.
"""

from provisioner.homes.address import is_remote, open_home, split_file
from provisioner.homes.home import Found, Hold, Home, OnWait

__all__ = ["Found", "Hold", "Home", "OnWait", "is_remote", "open_home", "split_file"]
