// What `npm run synth` says: what the stack is made of, and what two checks of it found.
import type { Acknowledged } from './acknowledge.ts'
import type { Template } from './schema.ts'

export interface Checked {
  readonly template: Template
  readonly acknowledged: readonly Acknowledged[]
  /** Of the CloudFormation schema. */
  readonly problems: readonly string[]
}

export function reportOf({ template, acknowledged, problems }: Checked): string {
  const counts = resourceCounts(template)
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const reasons = Map.groupBy(acknowledged, ({ path, reason }) => `${path}: ${reason}`)
  return [
    `${total} resources of ${Object.keys(counts).length} types`,
    ...Object.entries(counts).map(([type, count]) => `  ${String(count).padStart(3)}  ${type}`),
    `cdk-nag AwsSolutions: 0 findings, ${acknowledged.length} acknowledged`,
    ...[...reasons].map(([text, entries]) => `  ${String(entries.length).padStart(3)}  ${entries[0]!.id.replace(/\[.*/, '')}  ${text}`),
    `CloudFormation resource schema: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
    ...problems.map((problem) => `  ${problem}`),
    '',
  ].join('\n')
}

/** By type, in the order of the alphabet. */
export function resourceCounts({ Resources }: Template): Readonly<Record<string, number>> {
  const types = Object.values(Resources).map(({ Type }) => Type)
  return Object.fromEntries([...Map.groupBy(types.sort(), (type) => type)].map(([type, all]) => [type, all.length]))
}
