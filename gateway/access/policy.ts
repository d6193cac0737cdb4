// May this connection do that? AWS IoT policies, compiled once, bound to a connection, then asked per message.
import { type Condition, compileCondition } from './conditions.ts'
import { listOf, type PolicyDocument, type PolicyStatement, textsOf } from './policy-document.ts'
import { type PolicyContext, parseTemplate, type Template } from './policy-variables.ts'
import { compilePattern, type Matcher } from './wildcards.ts'

export interface Verdict {
  readonly decision: 'allow' | 'explicitDeny' | 'implicitDeny'
  /** The statement that decided; none when nothing allows. */
  readonly by?: StatementRef
}

export interface StatementRef {
  /** Index in the list of documents. */
  readonly policy: number
  /** Index in its Statement list. */
  readonly statement: number
  readonly sid?: string
}

/** The policies of one connection, with its variables in place. */
export interface BoundPolicies {
  /** `resource` is a full ARN, or `*` for actions that have none. */
  decide(action: string, resource: string): Verdict
}

export interface Policies {
  /** Facts are read once, now; only the time is read again. A CONNECT has facts of its own, so bind for it separately. */
  bind(context: PolicyContext): BoundPolicies
}

interface Statement {
  readonly effect: 'Allow' | 'Deny'
  readonly covers: Matcher
  readonly bindResource: (context: PolicyContext) => Matcher
  readonly conditions: readonly Condition[]
  readonly verdict: Verdict
}

interface BoundStatement {
  readonly matches: Matcher
  readonly verdict: Verdict
}

const implicitDeny: Verdict = Object.freeze({ decision: 'implicitDeny' })

/** All documents attached to a principal, evaluated together: any Deny, else any Allow, else no [IAM evaluation logic]. */
export function compilePolicies(documents: readonly PolicyDocument[]): Policies {
  const statements = documents.flatMap((document, policy) =>
    listOf(document.Statement).map((statement, index) => compileStatement(statement, { policy, statement: index })),
  )
  // Denials first, so that the first match decides.
  const inOrder = [...statements.filter(isDeny), ...statements.filter((statement) => !isDeny(statement))]
  return { bind: (context) => bindStatements(inOrder, context) }
}

const isDeny = ({ effect }: Statement) => effect === 'Deny'

function bindStatements(statements: readonly Statement[], context: PolicyContext): BoundPolicies {
  const byAction = new Map<string, readonly BoundStatement[]>()
  const select = (action: string) => {
    const lower = action.toLowerCase()
    const bound = statements.filter(({ covers }) => covers(lower)).flatMap((statement) => bindStatement(statement, context))
    byAction.set(action, bound)
    return bound
  }
  return {
    decide(action, resource) {
      for (const { matches, verdict } of byAction.get(action) ?? select(action)) if (matches(resource)) return verdict
      return implicitDeny
    },
  }
}

/** None when a condition that will not change does not hold. */
function bindStatement({ bindResource, conditions, verdict }: Statement, context: PolicyContext): readonly BoundStatement[] {
  const holds = (condition: Condition) => condition.holds(context)
  if (!conditions.filter(({ volatile }) => !volatile).every(holds)) return []
  const matches = bindResource(context)
  const later = conditions.filter(({ volatile }) => volatile)
  return [{ verdict, matches: later.length === 0 ? matches : (resource) => matches(resource) && later.every(holds) }]
}

function compileStatement(statement: PolicyStatement, at: Pick<StatementRef, 'policy' | 'statement'>): Statement {
  const { Sid, Effect, Condition = {} } = statement
  const by: StatementRef = Object.freeze({ ...at, ...(Sid === undefined ? {} : { sid: Sid }) })
  return {
    effect: Effect,
    covers: compileAction(statement),
    bindResource: compileResource(statement),
    conditions: Object.entries(Condition).flatMap(([operator, tests]) =>
      Object.entries(tests).map(([key, values]) => compileCondition(operator, key, textsOf(values), Effect)),
    ),
    verdict: Object.freeze({ decision: Effect === 'Allow' ? 'allow' : 'explicitDeny', by }),
  }
}

/** Action names ignore case, so both sides are lower case. */
function compileAction({ Action, NotAction }: PolicyStatement): Matcher {
  const matchers = listOf(Action ?? NotAction).map((text) => compilePattern(parseTemplate(text.toLowerCase()).resolve({})!))
  return oneOf(matchers, NotAction !== undefined)
}

/** Patterns without variables are compiled here, once for all connections. */
function compileResource({ Effect, Resource, NotResource }: PolicyStatement): (context: PolicyContext) => Matcher {
  const negated = NotResource !== undefined
  const bindings = listOf(Resource ?? NotResource)
    .map(parseTemplate)
    .map(toBinding)
  return (context) => {
    const matchers = bindings.map((bind) => bind(context))
    // What an exception would have been is unknown, so nothing is allowed.
    if (negated && Effect === 'Allow' && matchers.includes(undefined)) return () => false
    return oneOf(
      matchers.filter((matcher) => matcher !== undefined),
      negated,
    )
  }
}

function toBinding({ constant, resolve }: Template): (context: PolicyContext) => Matcher | undefined {
  const toMatcher = (context: PolicyContext) => {
    const pieces = resolve(context)
    return pieces && compilePattern(pieces)
  }
  if (!constant) return toMatcher
  const matcher = toMatcher({})
  return () => matcher
}

function oneOf(matchers: readonly Matcher[], negated: boolean): Matcher {
  const [only] = matchers
  if (matchers.length === 1 && only) return negated ? (text) => !only(text) : only
  return (text) => matchers.some((matches) => matches(text)) !== negated
}
