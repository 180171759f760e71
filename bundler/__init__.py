"""airbundle: container images, packed by application, carried into isolated networks and proven there."""
