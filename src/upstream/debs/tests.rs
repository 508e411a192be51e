//! What only this module's tests need.
