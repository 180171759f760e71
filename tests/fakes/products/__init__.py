"""Small servers that refuse as the products do; ``docs/registries.md`` says where each answer is from."""
