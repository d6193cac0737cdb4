// Findings of cdk-nag that are right in general and wrong here, each with its reason.
import { Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

export interface Acknowledged {
  readonly path: string
  readonly id: string
  readonly reason: string
}

const all = new WeakMap<IConstruct, Acknowledged[]>()

/** One rule of AwsSolutions, for one construct. */
function acknowledge(construct: IConstruct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions::${id}`, reason })
  const { root } = construct.node
  all.set(root, [...acknowledgedIn(root), { path: construct.node.path, id, reason }])
}

/** IAM resources with a `*`: cdk-nag wants each named. */
export function acknowledgeWildcards(construct: IConstruct, arns: readonly string[], reason: string): void {
  for (const arn of new Set(arns)) acknowledge(construct, `AwsSolutions-IAM5[Resource::${nagName(arn)}]`, reason)
}

/** `${Token[AWS.Region.4]}` → `<AWS::Region>`, as cdk-nag writes it. */
const nagName = (arn: string) => arn.replaceAll(/\$\{Token\[AWS\.(\w+)\.\d+\]\}/g, '<AWS::$1>')

/** Of one app. */
export function acknowledgedIn(root: IConstruct): readonly Acknowledged[] {
  return all.get(root) ?? []
}
