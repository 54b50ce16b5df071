//! Reading, writing and seeking: the traits of std, for an open file.
//!
//! Invariant: each of these calls takes one turn, and on a fiber one job on a thread.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::fs::file::{File, MOST_AT_A_TIME, fill, some_of};
use crate::sched::lowlevel::try_current_fiber;

impl Read for &File {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if try_current_fiber().is_none() {
            let _turn = self.turn()?;
            return (&self.inner.file).read(buf);
        }
        let mut bytes = vec![0; buf.len().min(MOST_AT_A_TIME)];
        let bytes = self.in_turn(move |mut file| {
            let n = file.read(&mut bytes)?;
            bytes.truncate(n);
            Ok(bytes)
        })?;
        Ok(fill(buf, &bytes))
    }

    /// Reads in one call, even on a fiber. Data that was read before an error is kept.
    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let (mut bytes, result) = self.in_turn(|mut file| {
            let mut bytes = Vec::new();
            let result = file.read_to_end(&mut bytes);
            Ok((bytes, result))
        })?;
        buf.append(&mut bytes);
        result
    }

    /// Reads in one call, even on a fiber. Nothing is kept if not all of it is UTF-8.
    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        let text = self.in_turn(|mut file| {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text)
        })?;
        buf.push_str(&text);
        Ok(text.len())
    }
}

impl Write for &File {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if try_current_fiber().is_none() {
            let _turn = self.turn()?;
            return (&self.inner.file).write(buf);
        }
        let bytes = some_of(buf);
        self.in_turn(move |mut file| file.write(&bytes))
    }

    /// Does nothing, because nothing is buffered. See [`File::sync_all`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    #[track_caller]
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.in_turn(move |mut file| file.seek(to))
    }
}

impl Read for File {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        (&*self).read_to_end(buf)
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        (&*self).read_to_string(buf)
    }
}

impl Write for File {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl Seek for File {
    #[track_caller]
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self).seek(to)
    }
}
