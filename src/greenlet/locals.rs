//! Values that belong to a greenlet, like context variables in Python.
//!
//! Invariants:
//! - A value is identified by its type alone.
//! - No user code runs while the map is borrowed: what is replaced or removed is dropped
//!   afterwards.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// A small map from types to values. Each greenlet has its own, unless it shares that of another
/// one.
///
/// A greenlet starts with an empty map. A handle is cheap to clone; clones are the same map. Give
/// each variable a type of its own.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Greenlet, GreenletLocals};
///
/// struct User(&'static str);
///
/// fibra::frame(|| {
///     greenlet::locals().set(User("main"));
///     let who = || greenlet::locals().get::<User>().map_or("nobody", |user| user.0);
///
///     let alone = Greenlet::new(move |()| assert_eq!(who(), "nobody"));
///     alone.switch(()).unwrap();
///
///     let sharing = Greenlet::new(move |()| assert_eq!(who(), "main"));
///     sharing.set_locals(greenlet::locals()).unwrap();
///     sharing.switch(()).unwrap();
///
///     let copying = Greenlet::new(|()| drop(greenlet::locals().set(User("copy"))));
///     copying.set_locals(greenlet::locals().copy()).unwrap();
///     copying.switch(()).unwrap();
///     assert_eq!(who(), "main");
/// });
/// ```
#[derive(Clone, Default)]
pub struct GreenletLocals {
    map: Rc<RefCell<Map>>,
}

type Map = Vec<(TypeId, Rc<dyn Any>)>;

impl GreenletLocals {
    /// Creates an empty map.
    #[must_use]
    pub fn new() -> GreenletLocals {
        GreenletLocals::default()
    }

    /// Returns the value of type `T`, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::GreenletLocals;
    ///
    /// let locals = GreenletLocals::new();
    /// locals.set("out of milk");
    /// assert_eq!(locals.get::<&str>().as_deref(), Some(&"out of milk"));
    /// assert_eq!(locals.get::<u32>(), None); // one value per type
    /// ```
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let map = self.map.borrow();
        let (_, value) = map.iter().find(|(key, _)| *key == TypeId::of::<T>())?;
        value.clone().downcast().ok()
    }

    /// Sets the value of type `T`. Returns the previous one, if there was one.
    pub fn set<T: 'static>(&self, value: T) -> Option<Rc<T>> {
        let value: Rc<dyn Any> = Rc::new(value);
        let mut map = self.map.borrow_mut();
        let Some(entry) = map.iter_mut().find(|(key, _)| *key == TypeId::of::<T>()) else {
            map.push((TypeId::of::<T>(), value));
            return None;
        };
        std::mem::replace(&mut entry.1, value).downcast().ok()
    }

    /// Removes the value of type `T` and returns it, if there was one.
    pub fn remove<T: 'static>(&self) -> Option<Rc<T>> {
        let mut map = self.map.borrow_mut();
        let at = map.iter().position(|(key, _)| *key == TypeId::of::<T>())?;
        map.remove(at).1.downcast().ok()
    }

    /// Creates another map with the same values: what is set in one is not visible in the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::GreenletLocals;
    ///
    /// let locals = GreenletLocals::new();
    /// let (copy, same) = (locals.copy(), locals.clone());
    /// locals.set(1);
    /// assert_eq!(copy.get::<i32>(), None);
    /// assert_eq!(same.get::<i32>().as_deref(), Some(&1));
    /// ```
    #[must_use]
    pub fn copy(&self) -> GreenletLocals {
        GreenletLocals { map: Rc::new(RefCell::new(self.map.borrow().clone())) }
    }

    /// Returns whether both handles are the same map.
    #[must_use]
    pub fn is_same(&self, other: &GreenletLocals) -> bool {
        Rc::ptr_eq(&self.map, &other.map)
    }
}

impl fmt::Debug for GreenletLocals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GreenletLocals({} values)", self.map.borrow().len())
    }
}
