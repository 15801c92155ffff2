"""The MONAI parts that the bundles' training configs name, and faster networks. Inference configs
are stock MONAI.
"""
