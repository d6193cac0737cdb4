// The whole list of what the doctor looks for: from this table come the findings and docs/doctor.md.
import type { Check, CheckTable, Finding } from './check.ts'
import { severities } from './check.ts'
import { actionChecks } from './checks/actions.ts'
import { configChecks } from './checks/config.ts'
import { deployedChecks } from './checks/deployed.ts'
import { fleetChecks } from './checks/fleet.ts'
import { groupChecks } from './checks/groups.ts'
import { policyChecks } from './checks/policies.ts'
import { queueChecks } from './checks/queues.ts'
import { republishChecks } from './checks/republish.ts'
import { ruleChecks } from './checks/rules.ts'
import { secretChecks } from './checks/secrets.ts'
import { shapeChecks } from './checks/shape.ts'
import { sqlChecks } from './checks/sql.ts'
import { targetChecks } from './checks/targets.ts'
import { templateChecks } from './checks/template.ts'
import type { Estate } from './estate.ts'

/** By what they look at. */
export const families = {
  'Files that cannot be read': shapeChecks,
  Rules: ruleChecks,
  Statements: sqlChecks,
  Actions: { ...targetChecks, ...actionChecks, ...groupChecks },
  Republish: republishChecks,
  'Queues and topics': queueChecks,
  'Policies and things': policyChecks,
  'The gateway': configChecks,
  Secrets: secretChecks,
  'The fleet': fleetChecks,
  'The template': templateChecks,
  'What is deployed': deployedChecks,
} as const satisfies Readonly<Record<string, CheckTable>>

export const checks: ReadonlyMap<string, Check> = new Map(Object.values(families).flatMap((family: CheckTable) => Object.entries(family)))

/** Everything that was found: files in their order, errors first. Looks at nothing but the estate. */
export function examine(estate: Estate): readonly Finding[] {
  const findings = [...checks].flatMap(([id, check]) => [...check.find(estate)].map((found) => toFinding(id, check, found)))
  return inOrder(findings)
}

export function toFinding(
  id: string,
  { severity, fix }: Pick<Check, 'severity' | 'fix'>,
  found: Omit<Finding, 'id' | 'severity' | 'fix' | 'docs'>,
): Finding {
  const { file, field, line, column, text } = found
  const place = {
    file,
    ...(field !== undefined && { field }),
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
  }
  return { id, severity, ...place, text, fix, docs: `docs/doctor.md#${id}` }
}

export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const rank = ({ severity }: Finding) => severities.indexOf(severity)
  return findings.toSorted((a, b) => a.file.localeCompare(b.file) || rank(a) - rank(b) || (a.field ?? '').localeCompare(b.field ?? ''))
}

export type Counts = Readonly<Record<'errors' | 'warnings' | 'notes', number>>

export function countsOf(findings: readonly Finding[]): Counts {
  const of = (wanted: Finding['severity']) => findings.filter(({ severity }) => severity === wanted).length
  return { errors: of('error'), warnings: of('warning'), notes: of('note') }
}
