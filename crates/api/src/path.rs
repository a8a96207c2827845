//! Where in a document something is: `spec.template.spec.containers[0].resources.limits[cpu]`.

use std::fmt;

/// A place in a document, as a chain of segments on the stack: text is made only when there is something to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Segment<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// The whole document.
    pub(crate) const ROOT: Path<'static> = Path {
        parent: None,
        segment: Segment::Root,
    };

    /// A field of the mapping that is here.
    pub(crate) fn field(&'a self, name: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            segment: Segment::Field(name),
        }
    }

    /// An item of the list that is here.
    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path {
            parent: Some(self),
            segment: Segment::Index(index),
        }
    }

    /// An entry of the map that is here.
    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            segment: Segment::Key(key),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = match self.parent {
            Some(parent) => {
                parent.fmt(f)?;
                if matches!(parent.segment, Segment::Root) {
                    ""
                } else {
                    "."
                }
            }
            None => "",
        };
        match self.segment {
            Segment::Root => Ok(()),
            Segment::Field(name) => write!(f, "{dot}{name}"),
            Segment::Index(index) => write!(f, "[{index}]"),
            Segment::Key(key) => write!(f, "[{key}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_reads_as_kubernetes_writes_it() {
        let spec = Path::ROOT.field("spec");
        let containers = spec.field("containers");
        let limits = containers.index(1).field("limits").key("cpu").to_string();
        assert_eq!(limits, "spec.containers[1].limits[cpu]");
        assert_eq!(Path::ROOT.to_string(), "");
    }
}
