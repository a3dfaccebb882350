//! Functions and classes: what the walk opens and closes a scope for.

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{Parameters, StmtClassDef, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::super::cognitive;
use super::super::halstead::HalsteadCounts;
use super::super::scopes::{Scope, ScopeKind};
use super::Walker;

/// One function or method, with where it stands as offsets.
#[derive(Debug)]
pub struct FunctionFigures {
    pub qualname: String,
    pub name_start: usize,
    pub kind: FunctionKind,
    pub is_async: bool,
    pub name_range: TextRange,
    pub range: TextRange,
    pub cyclomatic: u32,
    pub cyclomatic_mccabe: u32,
    pub complexity_radon: u32,
    pub cognitive: u32,
    pub nesting: u32,
    pub parameters: u32,
    pub fan_out: u32,
    pub halstead: HalsteadCounts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    Function,
    Method,
    Closure,
}

impl<'a> Walker<'a> {
    fn enter(&mut self, kind: ScopeKind, name: &'a str) {
        let outer_name_length = self.qualname.len();
        match self.scope().kind {
            ScopeKind::Module => {}
            ScopeKind::Class => self.qualname.push('.'),
            ScopeKind::Function => self.qualname.push_str(".<locals>."),
        }
        self.qualname.push_str(name);
        self.scopes.push(Scope::new(kind, name, outer_name_length));
    }

    fn leave(&mut self) -> Scope<'a> {
        let scope = self.scopes.pop().expect("every leave follows an enter");
        self.qualname.truncate(scope.outer_name_length);
        scope
    }

    pub(super) fn visit_function(&mut self, node: &'a StmtFunctionDef) {
        self.without_radon(|walker| {
            walker.without_halstead(|walker| {
                node.decorator_list.iter().for_each(|decorator| walker.visit_decorator(decorator));
                node.type_params.iter().for_each(|params| walker.visit_type_params(params));
                walker.visit_parameters(&node.parameters);
                node.returns.iter().for_each(|annotation| walker.visit_annotation(annotation));
            });
        });
        let index = self.functions.len();
        let figures = self.enter_function(node);
        self.functions.push(figures);
        let was_mccabe_off = std::mem::replace(&mut self.is_mccabe_off, false);
        self.visit_body(&node.body);
        self.is_mccabe_off = was_mccabe_off;
        self.leave_function(index);
    }

    fn enter_function(&mut self, node: &'a StmtFunctionDef) -> FunctionFigures {
        let name = node.name.as_str();
        let kind = match self.scope().kind {
            ScopeKind::Module => FunctionKind::Function,
            ScopeKind::Class => FunctionKind::Method,
            ScopeKind::Function => FunctionKind::Closure,
        };
        self.enter(ScopeKind::Function, name);
        self.halstead.enter(name);
        self.calls.enter();
        let scope = self.scope();
        scope.is_decorator = cognitive::is_decorator(&node.body);
        if kind == FunctionKind::Method {
            scope.receiver = Some(first_parameter(&node.parameters));
        }
        FunctionFigures {
            qualname: self.qualname.clone(),
            name_start: self.qualname.len() - name.len(),
            kind,
            is_async: node.is_async,
            name_range: node.name.range(),
            range: node.range(),
            cyclomatic: 0,
            cyclomatic_mccabe: 0,
            complexity_radon: 0,
            cognitive: 0,
            nesting: 0,
            parameters: count_parameters(&node.parameters),
            fan_out: 0,
            halstead: HalsteadCounts::default(),
        }
    }

    fn leave_function(&mut self, index: usize) {
        let mut scope = self.leave();
        scope.cognitive.add_flat(u32::from(scope.is_recursive));
        let figures = &mut self.functions[index];
        figures.cyclomatic = scope.cyclomatic;
        figures.cyclomatic_mccabe = scope.mccabe;
        figures.complexity_radon = scope.radon;
        figures.cognitive = scope.cognitive.total;
        figures.nesting = scope.nesting_depth();
        figures.fan_out = self.calls.leave();
        figures.halstead = self.halstead.leave();
        self.add_c901(scope.cyclomatic, scope.mccabe);
        let outer = self.scope();
        match outer.kind {
            ScopeKind::Module => outer.radon += scope.radon - 1,
            ScopeKind::Class => {
                outer.radon += scope.radon;
                outer.cognitive.absorb_class(&scope.cognitive);
            }
            ScopeKind::Function => {
                let is_decorator = outer.is_decorator;
                outer.cognitive.absorb_function(&scope.cognitive, is_decorator);
            }
        }
    }

    pub(super) fn visit_class(&mut self, node: &'a StmtClassDef) {
        self.without_radon(|walker| {
            node.decorator_list.iter().for_each(|decorator| walker.visit_decorator(decorator));
            node.type_params.iter().for_each(|params| walker.visit_type_params(params));
            node.arguments.iter().for_each(|arguments| walker.visit_arguments(arguments));
        });
        self.enter(ScopeKind::Class, node.name.as_str());
        self.visit_body(&node.body);
        let scope = self.leave();
        self.add_c901(scope.cyclomatic - 1, scope.mccabe - 1);
        let outer = self.scope();
        outer.cognitive.absorb_class(&scope.cognitive);
        if outer.kind == ScopeKind::Module {
            outer.radon += scope.radon - 1;
        }
    }
}

fn count_parameters(parameters: &Parameters) -> u32 {
    let named = parameters.posonlyargs.len() + parameters.args.len() + parameters.kwonlyargs.len();
    named as u32 + u32::from(parameters.vararg.is_some()) + u32::from(parameters.kwarg.is_some())
}

/// Return the name of a method's first parameter, "" when it has none.
fn first_parameter(parameters: &Parameters) -> &str {
    let first = parameters.posonlyargs.first().or(parameters.args.first());
    first.map_or("", |parameter| parameter.parameter.name.as_str())
}
