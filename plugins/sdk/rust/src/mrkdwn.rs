//! Slack's mrkdwn, of which only the plugin's own part is markup.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write as _};

/// Text in Slack's mrkdwn, made with [`mrkdwn!`](crate::mrkdwn).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mrkdwn(String);

/// Makes [`Mrkdwn`] as `format!` makes text. The format is markup; each argument is escaped, unless it is `Mrkdwn` itself:
///
/// ```
/// use banhook_plugin::{Mrkdwn, mrkdwn};
///
/// let host = mrkdwn!("on *{}*", "web-1");
/// let text = mrkdwn!("{subject} banned {host}", subject = "<!channel>", host = host);
/// assert_eq!(String::from(text), "&lt;!channel&gt; banned on *web-1*");
/// ```
///
/// `{subject}` needs an argument `subject = subject`: a variable that is named only in the format could not be escaped, and
/// is an error.
#[macro_export]
macro_rules! mrkdwn {
    ($format:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::Mrkdwn::from(::std::format_args!(
            // Not a literal: from one, `format_args!` would take variables as they are.
            ::std::concat!($format) $(, $name = $crate::export::Escaped(&$value))*
        ))
    };
    ($format:literal $(, $value:expr)* $(,)?) => {
        $crate::Mrkdwn::from(::std::format_args!(
            ::std::concat!($format) $(, $crate::export::Escaped(&$value))*
        ))
    };
}

impl Mrkdwn {
    /// Takes markup of your own as it is. Never text of an event.
    pub fn raw(markup: impl Into<String>) -> Self {
        Self(markup.into())
    }

    /// A link. The URL must be http or https.
    pub fn link(label: impl ToMrkdwn, url: impl Display) -> Self {
        // A bar would end the URL.
        let url = url.to_string().replace('|', "%7C");
        Self(format!("<{}|{}>", Escaped(&url), Escaped(&label)))
    }
}

impl From<fmt::Arguments<'_>> for Mrkdwn {
    /// For [`mrkdwn!`](crate::mrkdwn), which has escaped the arguments.
    fn from(arguments: fmt::Arguments<'_>) -> Self {
        Self(arguments.to_string())
    }
}

impl From<Mrkdwn> for String {
    fn from(Mrkdwn(markup): Mrkdwn) -> Self {
        markup
    }
}

/// An argument of [`mrkdwn!`](crate::mrkdwn).
pub trait ToMrkdwn {
    /// Writes it as markup that shows it.
    ///
    /// # Errors
    /// When the formatter fails.
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result;
}

/// An argument within the format.
pub struct Escaped<'a, T: ?Sized>(pub &'a T);

impl<T: ToMrkdwn + ?Sized> Display for Escaped<'_, T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.write(formatter)
    }
}

impl ToMrkdwn for str {
    /// Of `{:.20}` the first 20 characters.
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let characters = self.chars().take(formatter.precision().unwrap_or(usize::MAX));
        for character in characters {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

impl ToMrkdwn for String {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.as_str().write(formatter)
    }
}

impl ToMrkdwn for Cow<'_, str> {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.as_ref().write(formatter)
    }
}

impl<T: ToMrkdwn + ?Sized> ToMrkdwn for &T {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        (**self).write(formatter)
    }
}

impl ToMrkdwn for char {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.encode_utf8(&mut [0; 4]).write(formatter)
    }
}

/// As it is: it is markup already.
impl ToMrkdwn for Mrkdwn {
    fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Numbers have nothing to escape.
macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl ToMrkdwn for $number {
            fn write(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                Display::fmt(self, formatter)
            }
        })+
    };
}

numbers!(bool, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(markup: Mrkdwn) -> String {
        markup.into()
    }

    #[test]
    fn arguments_are_escaped_by_their_type() {
        let owned = String::from("<!channel>");
        let markup = mrkdwn!("*{}* {} {}", owned, 5, mrkdwn!("_{}_", '&'));
        assert_eq!(text(markup), "*&lt;!channel&gt;* 5 _&amp;_");
        assert_eq!(text(mrkdwn!("{{a}} {a} {a}", a = &&"<")), "{a} &lt; &lt;");
        assert_eq!(text(mrkdwn!("<!here>, ")), "<!here>, ");
    }

    #[test]
    fn precision_cuts_before_escaping() {
        assert_eq!(text(mrkdwn!("{:.2} {:.1}", "<<<", 1.25)), "&lt;&lt; 1.2");
    }

    #[test]
    fn link_stays_one_link() {
        let link = Mrkdwn::link("a|b>", "https://example.org/?a=1&b=<|>");
        assert_eq!(text(link), "<https://example.org/?a=1&amp;b=&lt;%7C&gt;|a|b&gt;>");
    }
}
