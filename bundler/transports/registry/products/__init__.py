"""The products behind the protocol: which one it is, what a refusal of it means, and how its projects are made."""
