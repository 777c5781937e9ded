//! Where an answer is written: into the room that its tier has for it, so that it need not be copied once more, and into
//! memory of its own where that is not enough.

/// An answer that is being written, or the words of a failure.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Where the caller reads it.
    room: &'a mut [u8],
    used: usize,
    /// Once the room is not enough, or where there is none, all of it.
    apart: &'a mut Vec<u8>,
    is_apart: bool,
}

/// What was written, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written<'a> {
    /// So many bytes in the room.
    InRoom(usize),
    Apart(&'a [u8]),
}

impl Written<'_> {
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::InRoom(bytes) => *bytes,
            Self::Apart(bytes) => bytes.len(),
        }
    }
}

impl<'a> Answer<'a> {
    /// Into this memory alone, which is cleared.
    pub fn apart(apart: &'a mut Vec<u8>) -> Self {
        Self::new(&mut [], apart)
    }

    /// Into the room while it is enough.
    pub(crate) fn new(room: &'a mut [u8], apart: &'a mut Vec<u8>) -> Self {
        apart.clear();
        let is_apart = room.is_empty();
        Self { room, used: 0, apart, is_apart }
    }

    /// All that was written.
    pub fn bytes(&self) -> &[u8] {
        if self.is_apart { self.apart } else { &self.room[..self.used] }
    }

    /// How much was written.
    pub const fn len(&self) -> usize {
        if self.is_apart { self.apart.len() } else { self.used }
    }

    /// Whether nothing was.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what was written.
    pub fn clear(&mut self) {
        self.apart.clear();
        (self.used, self.is_apart) = (0, self.room.is_empty());
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) {
        match self.room_for(bytes.len()) {
            Some(room) => room.copy_from_slice(bytes),
            None => self.as_vec().extend_from_slice(bytes),
        }
    }

    /// Appends so many bytes and says where: all of them have to be written, because others may lie there. None where there
    /// is no memory for them.
    pub fn grow(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if self.fits(bytes) {
            return self.room_for(bytes);
        }
        let vec = self.as_vec();
        let start = vec.len();
        vec.try_reserve(bytes).ok()?;
        vec.resize(start + bytes, 0);
        Some(&mut vec[start..])
    }

    /// Writes these instead of all that was written.
    pub fn replace(&mut self, bytes: &[u8]) {
        self.clear();
        self.write(bytes);
    }

    /// Cuts off what is beyond.
    pub fn truncate(&mut self, bytes: usize) {
        self.apart.truncate(bytes);
        self.used = self.used.min(bytes);
    }

    /// All that was written, as memory of its own, to write on in.
    pub fn as_vec(&mut self) -> &mut Vec<u8> {
        if !self.is_apart {
            self.is_apart = true;
            self.apart.extend_from_slice(&self.room[..self.used]);
        }
        self.apart
    }

    const fn fits(&self, bytes: usize) -> bool {
        !self.is_apart && bytes <= self.room.len() - self.used
    }

    fn room_for(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if !self.fits(bytes) {
            return None;
        }
        let start = self.used;
        self.used += bytes;
        Some(&mut self.room[start..self.used])
    }

    pub(crate) fn written(&self) -> Written<'_> {
        if self.is_apart { Written::Apart(self.apart) } else { Written::InRoom(self.used) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Write(Vec<u8>),
        Grow(u8),
        Replace(Vec<u8>),
        Truncate(usize),
        Clear,
        AsVec,
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..12);
        prop_oneof![
            bytes().prop_map(Step::Write),
            (0u8..12).prop_map(Step::Grow),
            bytes().prop_map(Step::Replace),
            (0usize..30).prop_map(Step::Truncate),
            Just(Step::Clear),
            Just(Step::AsVec),
        ]
    }

    proptest! {
        /// Whatever the room, it reads as one vector would.
        #[test]
        fn it_is_as_one_vector(room in 0usize..24, steps in proptest::collection::vec(step(), 0..20)) {
            let (mut room, mut apart, mut model) = (vec![0xee; room], vec![1, 2, 3], Vec::new());
            let mut answer = Answer::new(&mut room, &mut apart);
            for step in steps {
                match step {
                    Step::Write(bytes) => {
                        answer.write(&bytes);
                        model.extend(bytes);
                    }
                    Step::Grow(bytes) => {
                        answer.grow(bytes.into()).unwrap().fill(bytes);
                        model.extend(vec![bytes; bytes.into()]);
                    }
                    Step::Replace(bytes) => {
                        answer.replace(&bytes);
                        model = bytes;
                    }
                    Step::Truncate(bytes) => {
                        answer.truncate(bytes);
                        model.truncate(bytes);
                    }
                    Step::Clear => {
                        answer.clear();
                        model.clear();
                    }
                    Step::AsVec => prop_assert_eq!(answer.as_vec(), &model),
                }
                prop_assert_eq!(answer.bytes(), &model[..]);
                prop_assert_eq!((answer.len(), answer.written().len()), (model.len(), model.len()));
            }
        }
    }
}
