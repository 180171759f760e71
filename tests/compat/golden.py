"""Where the golden bundles lie, and which there are."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
DAMAGE = SAMPLES / "damage"
GOLDEN = SAMPLES / "bundles" / "v1"
#: The id of each golden bundle of a release. A line is added with a bundle and never changed.
IDS = {
    "gzip": "bf0ccf0658b78790d529da3a353af926bfd13bb268f4b3c1487e501e4df26bce",
    "groups": "23d5a71e62a0e2d6416354fa4168926c50199ae99e7417eb1b2e90983f805333",
    "kept-digests": "51cf66f9d6838d927571c669842fc50fc299bf402cc8319e4928132dfe299203",
    "one-application": "73591f911a6ca2ddf050df3b500fb9cc125fc6b87a18fa5fcd064037e7cd1d18",
    "two-applications": "65c15f0c112dc4101aff3855233afd038bf9f8c1bd4964212c7af43d4f83077a",
}
