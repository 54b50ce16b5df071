//! Operations on a path in one call: the functions of [`std::fs`].

use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{Metadata, Permissions, on_thread};

/// Implements functions of `std::fs` that take only paths.
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
    /// The same as for [`std::fs::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// let manifest = fibra::run(|| fibra::fs::read("Cargo.toml")).unwrap();
    /// assert!(manifest.starts_with(b"[package]"));
    /// ```
    read(path) -> Vec<u8>;

    /// Reads the whole file at `path`, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::read_to_string`].
    ///
    /// # Examples
    ///
    /// ```
    /// let manifest = fibra::run(|| fibra::fs::read_to_string("Cargo.toml")).unwrap();
    /// assert!(manifest.starts_with("[package]"));
    /// ```
    read_to_string(path) -> String;

    /// Copies the contents and permissions of a file, and returns the number of bytes copied.
    ///
    /// A fiber that leaves (because of a kill or a time limit) does not stop the copying.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::copy`].
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

    /// Renames a file or directory, and replaces what has the new name.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::rename`].
    ///
    /// # Examples
    ///
    /// ```
    /// let new = std::env::temp_dir().join(format!("fibra-doc-rename-{}", std::process::id()));
    /// let old = new.with_extension("new");
    /// fibra::run(|| -> std::io::Result<()> {
        ///     // A reader of `new` sees all of it or nothing.
    ///     fibra::fs::write(&old, "settings")?;
    ///     fibra::fs::rename(&old, &new)?;
    ///     assert!(!fibra::fs::exists(&old)?);
    ///     fibra::fs::remove_file(&new)
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    rename(from, to) -> ();

    /// Removes the name of a file; the file itself is removed when it is no longer open anywhere.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::remove_file`].
    ///
    /// # Examples
    ///
    /// ```
    /// let error = fibra::run(|| fibra::fs::remove_file("no such file")).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    remove_file(path) -> ();

    /// Creates a directory.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::create_dir`].
    ///
    /// # Examples
    ///
    /// ```
    /// let error = fibra::run(|| fibra::fs::create_dir("src")).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    /// ```
    create_dir(path) -> ();

    /// Creates a directory, and all of its parents that do not exist.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::create_dir_all`].
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

    /// Removes an empty directory.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::remove_dir`]; see [`create_dir_all`] for an example.
    remove_dir(path) -> ();

    /// Removes a directory and its contents.
    ///
    /// A fiber that leaves (because of a kill or a time limit) does not stop the removal.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::remove_dir_all`]; see [`create_dir_all`] for an example.
    remove_dir_all(path) -> ();

    /// Returns the metadata of the file, directory or other object at `path`; symbolic links are
    /// followed.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::metadata`].
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(fibra::run(|| fibra::fs::metadata("src")).unwrap().is_dir());
    /// ```
    metadata(path) -> Metadata;

    /// Like [`metadata`], but of the symbolic link itself if there is one at `path`.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::symlink_metadata`].
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!fibra::run(|| fibra::fs::symlink_metadata("src")).unwrap().is_symlink());
    /// ```
    symlink_metadata(path) -> Metadata;

    /// Returns the path from the root, without symbolic links, `.` and `..`.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::canonicalize`].
    ///
    /// # Examples
    ///
    /// ```
    /// let path = fibra::run(|| fibra::fs::canonicalize("src/../Cargo.toml")).unwrap();
    /// assert!(path.is_absolute() && !path.ends_with("src/../Cargo.toml"));
    /// ```
    canonicalize(path) -> PathBuf;

    /// Returns whether there is something at `path`; symbolic links are followed.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::exists`]: an error if that cannot be determined.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(fibra::run(|| fibra::fs::exists("Cargo.toml")).unwrap());
    /// ```
    exists(path) -> bool;

    /// Creates `link`, an additional name of the file `original`.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::hard_link`].
    ///
    /// # Examples
    ///
    /// ```
    /// let error = fibra::run(|| fibra::fs::hard_link("no such file", "link")).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    hard_link(original, link) -> ();

    /// Returns the target of the symbolic link at `path`.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::read_link`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// assert!(fibra::run(|| fibra::fs::read_link("/proc/self/exe")).unwrap().is_absolute());
    /// ```
    read_link(path) -> PathBuf;
}

/// Replaces the contents of the file at `path` by `contents`, and creates the file if it does not
/// exist.
///
/// The bytes are copied first: the thread that writes them may need them longer than the caller. A
/// fiber that leaves (because of a kill or a time limit) does not stop the writing.
///
/// # Errors
///
/// The same as for [`std::fs::write`].
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

/// Changes the permissions of the file at `path`.
///
/// # Errors
///
/// The same as for [`std::fs::set_permissions`].
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

/// Creates `link`, a symbolic link with the target `original`.
///
/// # Errors
///
/// The same as for [`std::os::unix::fs::symlink`].
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
