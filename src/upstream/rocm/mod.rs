//! The ROCm nightly index: pages, names, versions, selection.
