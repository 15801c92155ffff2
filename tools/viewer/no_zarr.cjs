// Stands for zarrita: a report never opens zarr, whose codecs are more than half of the bundle.
module.exports = {};
