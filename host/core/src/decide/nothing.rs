//! Whether rules say themselves that a value may be missing.

use rhai::{AST, ASTNode, Expr, Stmt};

/// Whether an expression says itself that it may give nothing: with `()`, `first(…)`, or an `if` without `else`.
pub fn names_nothing(ast: &AST, text: &str) -> bool {
    // Rhai makes `x` of `x ?? ()`.
    let mut names = text.match_indices("()").any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_some_and(|c| !c.is_alphanumeric() && c != '_')
    });
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        names |= nodes.last().is_some_and(is_nothing);
        !names
    });
    names
}

/// Whether a script says itself that a time of a decision may be nothing.
pub fn names_no_time(ast: &AST) -> bool {
    let mut names = false;
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::Map(map, _))) = nodes.last() {
            let times = map.0.iter().filter(|(key, _)| matches!(key.name.as_str(), "send_at" | "expires_at"));
            for (_, value) in times {
                value.walk(&mut Vec::new(), &mut |nodes: &[ASTNode<'_>]| {
                    names |= nodes.last().is_some_and(is_nothing);
                    !names
                });
            }
        }
        !names
    });
    names
}

fn is_nothing(node: &ASTNode<'_>) -> bool {
    match node {
        ASTNode::Expr(Expr::Unit(_)) => true,
        ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => call.name == "first",
        ASTNode::Stmt(Stmt::If(it, _)) => it.branch.is_empty(),
        _ => false,
    }
}
