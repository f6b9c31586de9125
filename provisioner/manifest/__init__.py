"""
The manifest: YAML files in git, read into what they mean.

This package reports everything that is wrong with a manifest, at once and each with its place;
the resolver adds what is wrong with files, models and lives.  Past this
package nothing is YAML, a dict or optional because a key was left out.

`reader` knows YAML, `schema_check` the JSON Schema, `overlays` what wins over what,
`entries` what the keys of a cache mean, `stack` which files belong
together and what they say of the whole.
"""
