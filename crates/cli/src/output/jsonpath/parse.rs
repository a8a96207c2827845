//! Reads templates.

use serde_json::Value;

use super::{Comparison, JsonPathError, Node, Operand, Path, Step};

/// Ranges in ranges, at most: deeper ones could exhaust the stack.
const DEPTH_MAX: usize = 32;

type Parsed<T> = Result<T, String>;

/// Reads a whole template.
pub(super) fn template(text: &str) -> Result<Vec<Node>, JsonPathError> {
    let mut scanner = Scanner { rest: text };
    scanner.nodes(0).map_err(|problem| JsonPathError::Malformed {
        template: text.to_owned(),
        problem,
    })
}

struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    /// Nodes up to the end of the text, or of the range where `depth` is not 0.
    fn nodes(&mut self, depth: usize) -> Parsed<Vec<Node>> {
        if depth > DEPTH_MAX {
            return Err("ranges nest too deep".to_owned());
        }
        let mut nodes = Vec::new();
        while !self.rest.is_empty() {
            if !self.eat("{") {
                let text = self.take_while(|c| c != '{');
                nodes.push(Node::Text(text.to_owned()));
                continue;
            }
            self.spaces();
            if self.eat_word("end") {
                self.close()?;
                return if depth > 0 {
                    Ok(nodes)
                } else {
                    Err("{end} without {range}".to_owned())
                };
            }
            if self.eat_word("range") {
                self.spaces();
                let path = self.path()?;
                self.close()?;
                nodes.push(Node::Range(path, self.nodes(depth + 1)?));
                continue;
            }
            self.action(&mut nodes)?;
        }
        if depth > 0 {
            Err("{range} without {end}".to_owned())
        } else {
            Ok(nodes)
        }
    }

    /// What is between braces, up to and with the closing one: literals and one path.
    fn action(&mut self, nodes: &mut Vec<Node>) -> Parsed<()> {
        loop {
            self.spaces();
            if self.eat("}") {
                return Ok(());
            }
            match self.peek() {
                None => return Err("a `{` is not closed".to_owned()),
                Some('"' | '\'') => nodes.push(Node::Text(self.quoted()?)),
                Some(_) => nodes.push(Node::Path(self.path()?)),
            }
        }
    }

    fn close(&mut self) -> Parsed<()> {
        self.spaces();
        if self.eat("}") {
            Ok(())
        } else {
            Err(self.unexpected("`}`"))
        }
    }

    /// Steps, as many as follow each other; spaces between them do not count.
    fn path(&mut self) -> Parsed<Path> {
        let mut steps = Vec::new();
        if self.eat("$") {
            steps.push(Step::Root);
        } else if !self.eat("@") && !matches!(self.peek(), Some('.' | '[')) {
            let name = self.name();
            if name.is_empty() {
                return Err(self.unexpected("a path such as .metadata.name"));
            }
            steps.push(Step::Field(name));
        }
        loop {
            if self.eat("..") {
                steps.push(Step::Recursive);
                if !matches!(self.peek(), Some('[')) {
                    self.named_step(&mut steps);
                }
            } else if self.eat(".") {
                self.named_step(&mut steps);
            } else if self.eat("[") {
                steps.push(self.brackets()?);
            } else if self.space_before_step() {
                self.spaces();
            } else {
                return Ok(Path(steps));
            }
        }
    }

    fn named_step(&mut self, steps: &mut Vec<Step>) {
        if self.eat("*") {
            steps.push(Step::Wildcard);
            return;
        }
        let name = self.name();
        // `{.}` and `.[0]` name nothing: they stay at the value.
        if !name.is_empty() {
            steps.push(Step::Field(name));
        }
    }

    fn space_before_step(&self) -> bool {
        let trimmed = self.rest.trim_start();
        trimmed.len() < self.rest.len() && trimmed.starts_with(['.', '['])
    }

    /// A field's name; a backslash takes the next character as it is.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    self.next();
                    name.extend(self.next());
                }
                '.' | '[' | ']' | '{' | '}' | '(' | ')' | '=' | '!' | '<' | '>' | ',' | '"' | '\'' => break,
                c if c.is_whitespace() => break,
                c => {
                    self.next();
                    name.push(c);
                }
            }
        }
        name
    }

    /// What is between brackets, up to and with the closing one.
    fn brackets(&mut self) -> Parsed<Step> {
        self.spaces();
        if self.eat("?") {
            return self.filter();
        }
        let mut steps = Vec::new();
        loop {
            self.spaces();
            steps.push(self.selector()?);
            self.spaces();
            if self.eat("]") {
                break;
            }
            if !self.eat(",") {
                return Err(self.unexpected("`]`"));
            }
        }
        let last = steps.pop().expect("the loop adds a step before it ends");
        if steps.is_empty() {
            return Ok(last);
        }
        steps.push(last);
        Ok(Step::Union(steps))
    }

    fn selector(&mut self) -> Parsed<Step> {
        if self.eat("*") {
            return Ok(Step::Wildcard);
        }
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.quoted().map(Step::Field);
        }
        let start = self.rest;
        let text = self.take_while(|c| c.is_ascii_digit() || c == '-' || c == ':');
        let wrong = || format!("`{start}` starts with no index, slice, quoted name, filter or *");
        let number = |part: &str| match part {
            "" => Ok(None),
            part => part.parse::<i64>().map(Some).map_err(|_| wrong()),
        };
        let parts: Vec<_> = text.split(':').map(number).collect::<Parsed<_>>()?;
        match parts[..] {
            [Some(index)] => Ok(Step::Index(index)),
            [from, to] => Ok(Step::Slice(from, to, 1)),
            [from, to, None] => Ok(Step::Slice(from, to, 1)),
            [from, to, Some(step)] if step > 0 => Ok(Step::Slice(from, to, step)),
            [_, _, Some(_)] => Err("the step of a slice must be more than 0".to_owned()),
            _ => Err(wrong()),
        }
    }

    /// `(@.a == "b")]`, with or without a comparison.
    fn filter(&mut self) -> Parsed<Step> {
        if !self.eat("(") {
            return Err(self.unexpected("`(`"));
        }
        let left = self.operand()?;
        self.spaces();
        let comparison = match self.comparison() {
            Some(comparison) => Some((comparison, self.operand()?)),
            None => None,
        };
        self.spaces();
        if !self.eat(")") {
            return Err(self.unexpected("a comparison or `)`"));
        }
        self.spaces();
        if !self.eat("]") {
            return Err(self.unexpected("`]`"));
        }
        Ok(Step::Filter(left, comparison))
    }

    fn operand(&mut self) -> Parsed<Operand> {
        self.spaces();
        match self.peek() {
            Some('"' | '\'') => return self.quoted().map(|text| Operand::Literal(Value::String(text))),
            Some('@' | '$' | '.' | '[') => return self.path().map(Operand::Path),
            _ => {}
        }
        let before = self.rest;
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'));
        match serde_json::from_str(word) {
            Ok(literal @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => Ok(Operand::Literal(literal)),
            _ => {
                self.rest = before;
                Err(self.unexpected("@.path, a number, true, false or a quoted text"))
            }
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        const SIGNS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        SIGNS
            .into_iter()
            .find(|(sign, _)| self.eat(sign))
            .map(|(_, comparison)| comparison)
    }

    /// A text in single or double quotes, with escapes.
    fn quoted(&mut self) -> Parsed<String> {
        let quote = self.next();
        let mut text = String::new();
        loop {
            let c = self.next().ok_or("a quote is not closed")?;
            if Some(c) == quote {
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            text.push(match self.next().ok_or("a quote is not closed")? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                other => other,
            });
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Eats a word that ends here: `end`, but not the start of `endpoints`.
    fn eat_word(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(word) else {
            return false;
        };
        let ends = rest
            .chars()
            .next()
            .is_none_or(|c| c.is_whitespace() || matches!(c, '}' | '.' | '['));
        if ends {
            self.rest = rest;
        }
        ends
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.rest {
            "" => format!("{wanted} is missing at the end"),
            rest => format!("{wanted} is missing before `{rest}`"),
        }
    }
}
