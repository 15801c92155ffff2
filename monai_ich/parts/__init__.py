"""The MONAI parts that the bundles' training configs name. Inference configs use stock MONAI only."""
