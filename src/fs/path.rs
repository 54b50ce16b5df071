//! What is done to a path in one call: the functions of [`std::fs`].

use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{Metadata, Permissions, on_thread};

/// Functions of `std::fs` that take paths and nothing else.
macro_rules! of_std {
    ($($(#[$doc:meta])* $name:ident($($path:ident),+) -> $T:ty;)+) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name($($path: impl AsRef<Path>),+) -> io::Result<$T> {
            $(let $path = $path.as_ref().to_path_buf();)+
            on_thread(move || std::fs::$name($($path),+))
        }
    )+};
}

of_std! {
    /// Reads the whole file at `path`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// let manifest = fibra::run(|| fibra::fs::read("Cargo.toml")).unwrap();
    /// assert!(manifest.starts_with(b"[package]"));
    /// ```
    read(path) -> Vec<u8>;

    /// Reads the whole file at `path`, which is UTF-8.
    ///
    /// # Errors
    ///
    /// As [`std::fs::read_to_string`].
    ///
    /// # Examples
    ///
    /// ```
    /// let manifest = fibra::run(|| fibra::fs::read_to_string("Cargo.toml")).unwrap();
    /// assert!(manifest.starts_with("[package]"));
    /// ```
    read_to_string(path) -> String;

    /// Copies the contents and permissions of a file, and returns how many bytes those were.
    ///
    /// A fiber that leaves (because of a kill or a time limit) does not stop the copying.
    ///
    /// # Errors
    ///
    /// As [`std::fs::copy`].
    ///
    /// # Examples
    ///
    /// ```
    /// let copy = std::env::temp_dir().join(format!("fibra-doc-copy-{}", std::process::id()));
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let bytes = fibra::fs::copy("Cargo.toml", &copy)?;
    ///     assert_eq!(fibra::fs::metadata(&copy)?.len(), bytes);
    ///     fibra::fs::remove_file(&copy)
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    copy(from, to) -> u64;

    /// Gives a file or folder another name, in place of what has that name.
    ///
    /// # Errors
    ///
    /// As [`std::fs::rename`].
    ///
    /// # Examples
    ///
    /// ```
    /// let new = std::env::temp_dir().join(format!("fibra-doc-rename-{}", std::process::id()));
    /// let old = new.with_extension("new");
    /// fibra::run(|| -> std::io::Result<()> {
    ///     // Whoever reads `new` sees all of it or nothing.
    ///     fibra::fs::write(&old, "settings")?;
    ///     fibra::fs::rename(&old, &new)?;
    ///     assert!(!fibra::fs::exists(&old)?);
    ///     fibra::fs::remove_file(&new)
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    rename(from, to) -> ();

    /// Removes the name of a file; the file itself goes when nobody has it open.
    ///
    /// # Errors
    ///
    /// As [`std::fs::remove_file`].
    ///
    /// # Examples
    ///
    /// ```
    /// let error = fibra::run(|| fibra::fs::remove_file("no such file")).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    remove_file(path) -> ();

    /// Makes a folder.
    ///
    /// # Errors
    ///
    /// As [`std::fs::create_dir`].
    ///
    /// # Examples
    ///
    /// ```
    /// let error = fibra::run(|| fibra::fs::create_dir("src")).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    /// ```
    create_dir(path) -> ();

    /// Makes a folder, and those it is to stand in, as far as they are not there.
    ///
    /// # Errors
    ///
    /// As [`std::fs::create_dir_all`].
    ///
    /// # Examples
    ///
    /// ```
    /// let top = std::env::temp_dir().join(format!("fibra-doc-dirs-{}", std::process::id()));
    /// fibra::run(|| -> std::io::Result<()> {
    ///     fibra::fs::create_dir_all(top.join("a/b/c"))?;
    ///     fibra::fs::remove_dir(top.join("a/b/c"))?;
    ///     fibra::fs::remove_dir_all(&top)
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    create_dir_all(path) -> ();

    /// Removes an empty folder.
    ///
    /// # Errors
    ///
    /// As [`std::fs::remove_dir`]; see [`create_dir_all`] for an example.
    remove_dir(path) -> ();

    /// Removes a folder and all that is in it.
    ///
    /// A fiber that leaves (because of a kill or a time limit) does not stop the removing.
    ///
    /// # Errors
    ///
    /// As [`std::fs::remove_dir_all`]; see [`create_dir_all`] for an example.
    remove_dir_all(path) -> ();

    /// What the system knows of the file, folder or what else is at `path`; links are followed.
    ///
    /// # Errors
    ///
    /// As [`std::fs::metadata`].
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(fibra::run(|| fibra::fs::metadata("src")).unwrap().is_dir());
    /// ```
    metadata(path) -> Metadata;

    /// As [`metadata`], of the link itself if there is one at `path`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::symlink_metadata`].
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!fibra::run(|| fibra::fs::symlink_metadata("src")).unwrap().is_symlink());
    /// ```
    symlink_metadata(path) -> Metadata;

    /// The path from the root, without links, `.` and `..`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::canonicalize`].
    ///
    /// # Examples
    ///
    /// ```
    /// let path = fibra::run(|| fibra::fs::canonicalize("src/../Cargo.toml")).unwrap();
    /// assert!(path.is_absolute() && !path.ends_with("src/../Cargo.toml"));
    /// ```
    canonicalize(path) -> PathBuf;

    /// Whether there is something at `path`; links are followed.
    ///
    /// # Errors
    ///
    /// As [`std::fs::exists`]: if that cannot be found out.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(fibra::run(|| fibra::fs::exists("Cargo.toml")).unwrap());
    /// ```
    exists(path) -> bool;

    /// Gives the file `original` another name, `link`, besides those that it has.
    ///
    /// # Errors
    ///
    /// As [`std::fs::hard_link`].
    ///
    /// # Examples
    ///
    /// ```
    /// let error = fibra::run(|| fibra::fs::hard_link("no such file", "link")).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    hard_link(original, link) -> ();

    /// Where the link at `path` points to.
    ///
    /// # Errors
    ///
    /// As [`std::fs::read_link`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// assert!(fibra::run(|| fibra::fs::read_link("/proc/self/exe")).unwrap().is_absolute());
    /// ```
    read_link(path) -> PathBuf;
}

/// Makes `contents` the contents of the file at `path`, which is made if it is not there.
///
/// The bytes are copied first: the thread that writes them may need them longer than the caller. A
/// fiber that leaves (because of a kill or a time limit) does not stop the writing.
///
/// # Errors
///
/// As [`std::fs::write`].
///
/// # Examples
///
/// ```
/// let path = std::env::temp_dir().join(format!("fibra-doc-write-{}", std::process::id()));
/// fibra::run(|| -> std::io::Result<()> {
///     fibra::fs::write(&path, "contents")?;
///     assert_eq!(fibra::fs::read(&path)?, b"contents");
///     fibra::fs::remove_file(&path)
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let (path, contents) = (path.as_ref().to_path_buf(), contents.as_ref().to_vec());
    on_thread(move || std::fs::write(path, contents))
}

/// Changes who may do what with the file at `path`.
///
/// # Errors
///
/// As [`std::fs::set_permissions`].
///
/// # Examples
///
/// ```
/// let path = std::env::temp_dir().join(format!("fibra-doc-read-only-{}", std::process::id()));
/// fibra::run(|| -> std::io::Result<()> {
///     fibra::fs::write(&path, "for the eyes only")?;
///     let mut permissions = fibra::fs::metadata(&path)?.permissions();
///     permissions.set_readonly(true);
///     fibra::fs::set_permissions(&path, permissions)?;
///     assert!(fibra::fs::metadata(&path)?.permissions().readonly());
///     fibra::fs::remove_file(&path)
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_path_buf();
    on_thread(move || std::fs::set_permissions(path, permissions))
}

/// Makes `link`, a symbolic link that says `original`.
///
/// # Errors
///
/// As [`std::os::unix::fs::symlink`].
///
/// # Examples
///
/// ```
/// let link = std::env::temp_dir().join(format!("fibra-doc-symlink-{}", std::process::id()));
/// fibra::run(|| -> std::io::Result<()> {
///     fibra::fs::symlink("here or not", &link)?;
///     assert_eq!(fibra::fs::read_link(&link)?.as_os_str(), "here or not");
///     fibra::fs::remove_file(&link)
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_path_buf(), link.as_ref().to_path_buf());
    on_thread(move || std::os::unix::fs::symlink(original, link))
}
