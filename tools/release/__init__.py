"""The files of a release, from one commit: two builds of it are identical byte for byte.

| module | content |
|---|---|
| `changelog` | the version's section, and the checks before a release |
| `manifests` | `install*.yaml`, rendered with the image of the release |
| `archive` | archives without traces of the machine that wrote them |
| `sbom` | the software bill of materials |
| `__main__` | the command, and the parts that run other programs |

The image, its signature and its attestation are not made here: the release workflow does that.
"""
