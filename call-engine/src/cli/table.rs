//! Lists for people.

use std::fmt::Write;

/// Rows of text under their headings, each column as wide as its widest cell.
pub(super) fn table<const COLUMNS: usize>(headings: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let rows: Vec<[String; COLUMNS]> = std::iter::once(headings.map(str::to_owned))
        .chain(rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))))
        .collect();
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a text does not fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Without what would do something to a terminal: phones and strangers write Call-IDs and what they call themselves.
fn plain(cell: &str) -> String {
    if cell.is_empty() {
        return "-".to_owned();
    }
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time of day by UTC, from milliseconds since 1970.
pub(super) fn time_of_day(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A length of time, in hours, minutes and seconds.
pub(super) fn length(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_nothing_reaches_the_terminal_but_text() {
        let rows = [["a".to_owned(), "\u{1b}[2Jb".to_owned()], ["longer than that".to_owned(), String::new()]];
        let text = table(["user", "contact"], &rows);
        assert_eq!(text, "user              contact\na                 \u{fffd}[2Jb\nlonger than that  -\n");
    }

    #[test]
    fn times_are_written_as_people_read_them() {
        assert_eq!((time_of_day(86_399_999), length(3_661)), ("23:59:59Z".to_owned(), "1:01:01".to_owned()));
    }
}
