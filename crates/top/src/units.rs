//! Figures to short text. `None` is a dash: what a server does not tell is not zero.

/// What stands for a figure that is not known.
pub(crate) const DASH: &str = "-";

/// Formats a known figure, or gives the dash.
pub(crate) fn or_dash<T>(figure: Option<T>, format: impl FnOnce(T) -> String) -> String {
    figure.map_or_else(|| DASH.to_owned(), format)
}

/// `7`, `12.3k`, `4.56M`: three digits, in steps of a thousand.
pub(crate) fn count(figure: f64) -> String {
    scaled(figure, 1000.0, &["", "k", "M", "G", "T", "P"])
}

/// A number of things: exact below ten thousand.
pub(crate) fn whole(figure: f64) -> String {
    if figure < 10_000.0 {
        format!("{figure:.0}")
    } else {
        count(figure)
    }
}

/// `512B`, `1.50K`, `4.00G`: in steps of 1024.
pub(crate) fn bytes(figure: f64) -> String {
    scaled(figure, 1024.0, &["B", "K", "M", "G", "T", "P"])
}

fn scaled(figure: f64, step: f64, units: &[&str]) -> String {
    let mut rest = figure;
    let mut at = 0;
    // What rounds to a full step has the next unit.
    while rest >= step - 0.5 && at + 1 < units.len() {
        rest /= step;
        at += 1;
    }
    let unit = units[at];
    match rest {
        _ if at == 0 && rest.fract() == 0.0 => format!("{rest:.0}{unit}"),
        _ if rest < 9.995 => format!("{rest:.2}{unit}"),
        _ if rest < 99.95 => format!("{rest:.1}{unit}"),
        _ => format!("{rest:.0}{unit}"),
    }
}

/// `93.4%`.
pub(crate) fn percent(figure: f64) -> String {
    format!("{figure:.1}%")
}

/// Microseconds as `12us`, `1.23ms`, `4.5s`.
pub(crate) fn micros(us: f64) -> String {
    scaled(us, 1000.0, &["us", "ms", "s"])
}

/// Seconds as `42s`, `12m 07s`, `3h 12m`, `5d 03h`.
pub(crate) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days}d {:02}h", hours % 24),
        () if hours > 0 => format!("{hours}h {:02}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {:02}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        for (figure, shown) in [
            (0.0, "0"),
            (0.5, "0.50"),
            (7.0, "7"),
            (999.0, "999"),
            (999.7, "1.00k"),
            (12_345.0, "12.3k"),
            (4_560_000.0, "4.56M"),
            (1e18, "1000P"),
        ] {
            assert_eq!(count(figure), shown, "{figure}");
        }
        assert_eq!(whole(1024.0), "1024");
        assert_eq!(whole(10_240.0), "10.2k");
        assert_eq!(bytes(1536.0), "1.50K");
        assert_eq!(bytes((4_u64 << 30) as f64), "4.00G");
        assert_eq!(micros(12.0), "12us");
        assert_eq!(micros(1234.0), "1.23ms");
        assert_eq!(or_dash(None, percent), "-");
        assert_eq!(or_dash(Some(93.42), percent), "93.4%");
    }

    #[test]
    fn ages_name_two_units() {
        for (seconds, shown) in [
            (42, "42s"),
            (727, "12m 07s"),
            (11_520, "3h 12m"),
            (442_800, "5d 03h"),
            (u64::MAX, "213503982334601d 07h"),
        ] {
            assert_eq!(age(seconds), shown);
        }
    }
}
