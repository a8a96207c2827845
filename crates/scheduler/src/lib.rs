//! Places pods on nodes: filters, scores and explanations, pure and fast.
