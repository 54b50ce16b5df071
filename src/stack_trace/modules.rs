//! Addresses relative to the file of the program or library that contains them, which are the same
//! in each run of a program.
//!
//! They are for programs without symbols: `addr2line -e service.debug 0x1f3a0` names the function
//! where the symbols are kept in another file. Where the system does not show its mappings as
//! files, there are none.

use std::fs;

/// The files that are mapped into this process.
#[derive(Debug)]
pub(crate) struct Modules(Vec<Mapping>);

#[derive(Debug)]
struct Mapping {
    start: usize,
    end: usize,
    path: String,
}

impl Modules {
    /// Reads the mappings of this process. There are none if that fails.
    pub(crate) fn read() -> Modules {
        Modules::parse(&fs::read_to_string("/proc/self/maps").unwrap_or_default())
    }

    fn parse(maps: &str) -> Modules {
        Modules(maps.lines().filter_map(Mapping::parse).collect())
    }

    /// Returns the file that contains `address`, and the address relative to the start of the
    /// file's first mapping: "service+0x1f3a0".
    pub(crate) fn relative(&self, address: usize) -> Option<String> {
        let found = self.0.iter().find(|it| (it.start..it.end).contains(&address))?;
        let first = self.0.iter().find(|it| it.path == found.path)?;
        let name = found.path.rsplit('/').next()?;
        Some(format!("{name}+{:#x}", address - first.start))
    }
}

impl Mapping {
    /// Parses a line like `55d0-55f0 r-xp 00001000 08:01 42   /usr/bin/service`.
    fn parse(line: &str) -> Option<Mapping> {
        let path = &line[line.find('/')?..];
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(Mapping { start: number(start)?, end: number(end)?, path: path.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_relative_to_the_first_mapping_of_their_file() {
        let modules = Modules::parse(
            "1000-2000 r--p 00000000 08:01 42   /srv/my service\n\
             2000-3000 r-xp 00001000 08:01 42   /srv/my service\n\
             3000-4000 rw-p 00000000 00:00 0 \n\
             5000-6000 r-xp 00000000 08:01 43   /lib/libc.so.6",
        );
        assert_eq!(modules.relative(0x2345).as_deref(), Some("my service+0x1345"));
        assert_eq!(modules.relative(0x5001).as_deref(), Some("libc.so.6+0x1"));
        assert_eq!(modules.relative(0x3001), None);
        assert_eq!(modules.relative(0x6000), None);
    }
}
