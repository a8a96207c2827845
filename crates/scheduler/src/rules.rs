//! Rules about other pods that hold for a template: what must be, and what counts towards scores.

use crate::{filter::Obstacle, score, tables::Tables, template::Template, topology::NOWHERE};

/// The rules about other pods that hold for a template at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) hard: Vec<Rule>,
    pub(crate) marks: Vec<Mark>,
}

/// What must be in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) term: usize,
    pub(crate) topology: usize,
    pub(crate) what: Must,
}

/// What must be in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// Pods that the term selects.
    BeNear,
    /// None of them.
    BeApart,
    /// No pod that holds the term as anti-affinity.
    NotBeRepelled,
    /// Not too many of the pods it selects.
    BeEven {
        max_skew: i64,
        min_places: u32,
        own: i64,
    },
}

/// What counts towards the score of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) term: usize,
    pub(crate) topology: usize,
    pub(crate) what: Counts,
}

/// What counts towards the score of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Pods that the term selects, with this weight.
    Near(i64),
    /// What the pods there would like.
    Drawn,
    /// That there are few of the pods it selects.
    Even { max_skew: i64 },
}

impl Rules {
    pub(crate) fn of(tables: &Tables, template: &Template) -> Self {
        let mut rules = Self::default();
        let mut must = |term: usize, what: Must| {
            let topology = tables.terms.rows[term].topology;
            rules.hard.push(Rule { term, topology, what });
        };
        template
            .affinity
            .iter()
            .for_each(|term| must(*term, Must::BeNear));
        template.anti.iter().for_each(|term| must(*term, Must::BeApart));
        let selecting = &tables.looks.rows[template.look].terms;
        let mut repelled: Vec<usize> = selecting
            .iter()
            .copied()
            .filter(|term| tables.terms.rows[*term].repelled.total() != 0)
            .collect();
        // The first that is broken is named to people: which one that is must not depend on what came to be known when.
        repelled.sort_unstable_by_key(|term| tables.terms.rows[*term].identity());
        repelled.iter().for_each(|term| must(*term, Must::NotBeRepelled));
        for even in &template.even {
            let (max_skew, min_places, own) = (even.max_skew, even.min_places, even.own);
            must(
                even.term,
                Must::BeEven {
                    max_skew,
                    min_places,
                    own,
                },
            );
        }
        let mut counts = |term: usize, what: Counts| {
            let topology = tables.terms.rows[term].topology;
            rules.marks.push(Mark { term, topology, what });
        };
        template
            .prefers
            .iter()
            .for_each(|(term, weight)| counts(*term, Counts::Near(*weight)));
        for even in &template.soft_even {
            counts(
                even.term,
                Counts::Even {
                    max_skew: even.max_skew,
                },
            );
        }
        let drawn = selecting
            .iter()
            .filter(|term| tables.terms.rows[**term].drawn_pods != 0);
        drawn.for_each(|term| counts(*term, Counts::Drawn));
        rules
    }
}

impl Tables {
    /// What stands against the pod in this place, by one rule.
    pub(crate) fn broken<'a>(&self, template: &Template, rule: &Rule, place: u32) -> Option<Obstacle<'a>> {
        let term = &self.terms.rows[rule.term];
        match rule.what {
            Must::BeNear => {
                let near = place != NOWHERE && (term.selected.get(place) > 0 || self.may_be_first(template));
                (!near).then_some(Obstacle::NotNear(rule.term))
            }
            Must::BeApart => {
                let apart = place == NOWHERE || term.selected.get(place) == 0;
                (!apart).then_some(Obstacle::NotApart(rule.term))
            }
            Must::NotBeRepelled => {
                let free = place == NOWHERE || term.repelled.get(place) == 0;
                (!free).then_some(Obstacle::KeptAway(rule.term))
            }
            Must::BeEven { .. } if place == NOWHERE => Some(Obstacle::NoPlace(rule.term)),
            Must::BeEven {
                max_skew, min_places, ..
            } => {
                let even = self.fewest_needed(rule, place) <= self.fewest(rule);
                (!even).then_some(Obstacle::Uneven(rule.term, max_skew, min_places))
            }
        }
    }

    /// For a rule of evenness: how many pods every place must have before this one may get the pod.
    pub(crate) fn fewest_needed(&self, rule: &Rule, place: u32) -> i64 {
        let Must::BeEven { max_skew, own, .. } = rule.what else {
            return 0;
        };
        self.terms.rows[rule.term].selected.get(place) + own - max_skew
    }

    /// For a rule of evenness: how many pods every place has.
    pub(crate) fn fewest(&self, rule: &Rule) -> i64 {
        let Must::BeEven { min_places, .. } = rule.what else {
            return 0;
        };
        self.terms.rows[rule.term].fewest(min_places)
    }

    /// Pods that want to be near their like: somebody has to be the first.
    fn may_be_first(&self, template: &Template) -> bool {
        let none = |term: &usize| self.terms.rows[*term].selected.total() == 0;
        template.self_affine && template.affinity.iter().all(none)
    }

    /// What this place adds to the score by one rule.
    pub(crate) fn marks(&self, mark: &Mark, place: u32) -> i64 {
        let term = &self.terms.rows[mark.term];
        let there = (place != NOWHERE).then_some(place);
        match mark.what {
            Counts::Near(weight) => there.map_or(0, |place| score::near(weight, term.selected.get(place))),
            Counts::Drawn => there.map_or(0, |place| score::drawn(term.drawn.get(place))),
            Counts::Even { max_skew } => {
                score::evenness(there.map(|place| term.selected.get(place)), max_skew)
            }
        }
    }
}
