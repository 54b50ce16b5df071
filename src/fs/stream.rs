//! Reading, writing and seeking: the traits of std, for an open file.
//!
//! Invariant: each of these calls takes one turn. On a fiber it takes up to one job on a thread: a
//! read takes none for the bytes that are [cached](crate::fs::cached).

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::fs::cached::Place;
use crate::fs::file::{File, MOST_AT_A_TIME, Turn, fill, some_of};
use crate::sched::lowlevel::{CurrentFiber, spend, try_current_fiber};

impl Read for &File {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let turn = self.turn()?;
        let Some(current) = try_current_fiber() else { return (&self.inner.file).read(buf) };
        let cached = self.inner.cache.read(current, &self.inner.file, buf, Place::Position);
        cached.map_or_else(|| self.read_on_thread(turn, buf), Ok)
    }

    /// Reads to the end in one turn, even on a fiber. Data that was read before an error is kept.
    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let turn = self.turn()?;
        let Some(current) = try_current_fiber() else {
            return (&self.inner.file).read_to_end(buf);
        };
        let before = buf.len();
        self.read_rest(current, turn, buf).map(|()| buf.len() - before)
    }

    /// Reads to the end in one turn, even on a fiber. Nothing is kept if not all of it is UTF-8.
    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        let turn = self.turn()?;
        let Some(current) = try_current_fiber() else {
            return (&self.inner.file).read_to_string(buf);
        };
        let mut bytes = Vec::new();
        self.read_rest(current, turn, &mut bytes)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8")
        })?;
        buf.push_str(text);
        Ok(text.len())
    }
}

impl File {
    /// Reads at the position, which is not cached there or cannot be asked for that.
    #[cold]
    #[track_caller]
    fn read_on_thread(&self, turn: Option<Turn>, buf: &mut [u8]) -> io::Result<usize> {
        let mut bytes = vec![0; buf.len().min(MOST_AT_A_TIME)];
        let bytes = self.offload_with(turn, move |mut file| {
            let n = file.read(&mut bytes)?;
            bytes.truncate(n);
            Ok(bytes)
        })?;
        Ok(fill(buf, &bytes))
    }

    /// Appends the rest of the file to `buf`: first what is cached, then, from a thread, all that
    /// follows it.
    #[track_caller]
    fn read_rest(
        &self,
        current: CurrentFiber,
        turn: Option<Turn>,
        buf: &mut Vec<u8>,
    ) -> io::Result<()> {
        if self.inner.cache.read_rest(current, &self.inner.file, buf)? {
            return Ok(());
        }
        let (mut bytes, result) = self.offload_with(turn, |mut file| {
            let mut bytes = Vec::new();
            let result = file.read_to_end(&mut bytes);
            Ok((bytes, result))
        })?;
        buf.append(&mut bytes);
        result.map(drop)
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
    /// From the start or the current position this only changes a number, and no thread is needed.
    /// A server may have to be asked for the end.
    #[track_caller]
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let turn = self.turn()?;
        match (try_current_fiber(), to) {
            (Some(current), SeekFrom::Start(_) | SeekFrom::Current(_)) if turn.is_some() => {
                spend(current);
                (&self.inner.file).seek(to)
            }
            _ => self.offload_with(turn, move |mut file| file.seek(to)),
        }
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
