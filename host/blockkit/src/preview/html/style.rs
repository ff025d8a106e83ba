//! The style sheet, and its colours for either theme.

/// The colours of the light theme, as variables.
pub const LIGHT: &str = include_str!("light.css");
/// The colours of the dark theme, as variables.
pub const DARK: &str = include_str!("dark.css");
/// Everything else.
pub const STYLE: &str = include_str!("style.css");
