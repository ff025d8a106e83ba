//! Any message of a plugin about an event: what the guard lets out, the linter passes, and no target fails on it.
//!
//! The input is read as choices, and its texts are pieces of it.
#![no_main]

use banhook::event::{Ban, Event, EventDetails, Timestamp};
use banhook::message::{
    Block, Button, ButtonStyle, Color, ContextElement, Date, DateFormat, Field, Image, Link, Mention, Message, Policy,
    Section, Span, Style, Styled, Target, Text, Thumbnail, guard,
};
use blockkit::{Severity, check};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    let Ok((event, message)) = event(&mut input).and_then(|event| Ok((event, message(&mut input)?))) else { return };
    for &target in Target::ALL {
        for mentions in [false, true] {
            let Ok(guarded) = guard(&message, [&event], &Policy { mentions, target }) else { continue };
            // The linter has the rules of Slack.
            if target == Target::SLACK {
                let errors: Vec<_> =
                    check(guarded.body()).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
                assert!(errors.is_empty(), "{errors:?} in {}", guarded.to_json_string());
            }
        }
    }
});

fn event(input: &mut Unstructured<'_>) -> Result<Event> {
    let ban = Ban { subject: text(input)?, matches: vec![text(input)?], ..Ban::default() };
    let labels = [("site".to_owned(), text(input)?)].into();
    let (host, jail) = (text(input)?, text(input)?);
    Ok(Event { id: "1".to_owned(), at: Timestamp(0), host, jail, details: EventDetails::Ban(ban), labels })
}

fn text(input: &mut Unstructured<'_>) -> Result<String> {
    input.arbitrary()
}

/// Up to four of something, now and then one of them very often.
fn several<T: Clone>(input: &mut Unstructured<'_>, one: impl Fn(&mut Unstructured<'_>) -> Result<T>) -> Result<Vec<T>> {
    let mut several = Vec::new();
    for _ in 0..input.int_in_range(0..=4)? {
        several.push(one(input)?);
    }
    if input.ratio(1, 16)?
        && let Some(one) = several.last().cloned()
    {
        several.resize(120, one);
    }
    Ok(several)
}

fn option<T>(input: &mut Unstructured<'_>, one: impl Fn(&mut Unstructured<'_>) -> Result<T>) -> Result<Option<T>> {
    if input.arbitrary()? { one(input).map(Some) } else { Ok(None) }
}

fn message(input: &mut Unstructured<'_>) -> Result<Message> {
    let color = match input.int_in_range(0..=4)? {
        0 => Some(Color::Good),
        1 => Some(Color::Warning),
        2 => Some(Color::Danger),
        3 => Some(Color::Rgb(input.arbitrary()?, input.arbitrary()?, input.arbitrary()?)),
        _ => None,
    };
    Ok(Message { text: any_text(input)?, blocks: several(input, block)?, color, ..Message::default() })
}

fn any_text(input: &mut Unstructured<'_>) -> Result<Text> {
    Ok(match input.int_in_range(0..=2)? {
        0 => Text::Plain(text(input)?),
        1 => Text::Mrkdwn(text(input)?),
        _ => Text::Rich(several(input, span)?),
    })
}

fn style(input: &mut Unstructured<'_>) -> Result<Style> {
    let [bold, italic, strike, code] = input.arbitrary()?;
    Ok(Style { bold, italic, strike, code })
}

fn url(input: &mut Unstructured<'_>) -> Result<String> {
    let scheme = *input.choose(&["https://example.org/", "https://", "http://a/", "mailto:", "javascript:", ""])?;
    Ok(format!("{scheme}{}", text(input)?))
}

fn span(input: &mut Unstructured<'_>) -> Result<Span> {
    Ok(match input.int_in_range(0..=4)? {
        0 => Span::Text(Styled { text: text(input)?, style: style(input)? }),
        1 => Span::Emoji(text(input)?),
        2 => Span::Link(Link { label: option(input, text)?, url: url(input)?, style: style(input)? }),
        3 => {
            let format =
                *input.choose(&[DateFormat::DateTime, DateFormat::Date, DateFormat::Time, DateFormat::Relative])?;
            Span::Date(Date { at: Timestamp(input.arbitrary()?), format })
        }
        _ => Span::Mention(match input.int_in_range(0..=3)? {
            0 => Mention::User(text(input)?),
            1 => Mention::Group(text(input)?),
            2 => Mention::Channel,
            _ => Mention::Here,
        }),
    })
}

fn thumbnail(input: &mut Unstructured<'_>) -> Result<Thumbnail> {
    Ok(Thumbnail { url: url(input)?, alt: text(input)? })
}

fn block(input: &mut Unstructured<'_>) -> Result<Block> {
    Ok(match input.int_in_range(0..=11)? {
        0 => Block::Header(text(input)?),
        1 => Block::Section(Section {
            text: option(input, any_text)?,
            fields: several(input, |input| Ok(Field { label: text(input)?, value: any_text(input)? }))?,
            accessory: option(input, thumbnail)?,
        }),
        2 => Block::Context(several(input, |input| {
            Ok(if input.arbitrary()? {
                ContextElement::Text(any_text(input)?)
            } else {
                ContextElement::Image { image: thumbnail(input)? }
            })
        })?),
        3 => Block::Divider,
        4 => Block::Image(Image { url: url(input)?, alt: text(input)?, title: option(input, text)? }),
        5 => Block::Buttons(several(input, |input| {
            let style = *input.choose(&[None, Some(ButtonStyle::Primary), Some(ButtonStyle::Danger)])?;
            Ok(Button { label: text(input)?, url: url(input)?, style })
        })?),
        6 => Block::Preformatted(text(input)?),
        7 => Block::Table(several(input, |input| several(input, any_text))?),
        8 => Block::Raw(text(input)?),
        9 => Block::Bullets(several(input, any_text)?),
        10 => Block::Numbers(several(input, any_text)?),
        _ => Block::Quote(any_text(input)?),
    })
}
