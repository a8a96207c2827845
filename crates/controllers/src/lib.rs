//! Pure reconcilers that turn desired state into changes.
