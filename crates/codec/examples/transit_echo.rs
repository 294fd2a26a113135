//! Reads a Transit document from each line of the input and writes it twice, in the
//! compact and then in the verbose mode, to compare with other implementations of Transit.

use std::io::{BufRead as _, Write as _};

use stoa_codec::{Format, Writer, read_transit};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let value = read_transit(line?.as_bytes())?;
        for format in [Format::Transit, Format::TransitVerbose] {
            let mut w = Writer::new(format);
            w.value(&value);
            out.write_all(&w.finish()?)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}
