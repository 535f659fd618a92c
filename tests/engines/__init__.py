"""Every page in Firefox and in WebKit, the engine of every browser on an iPhone."""
