// A CloudFormation template as what a gateway runs: rule files, queues and topics, policies; and a word on everything else in it.
import { parseAs } from '../../lib/problems.ts'
import { targetName } from '../actions/aws-errors.ts'
import { invalidConfig } from '../errors.ts'
import type { ResourcesInput } from '../local/resources.ts'
import { whyHarmless } from './harmless.ts'
import { createResolver, nameOf, type Place, type Resolve, type Resource, type Template } from './intrinsics.ts'
import { type Draft, type Fate, type Queues, resourceTypes, type Topics, type Values } from './resource-types.ts'
import { propertyShapes } from './shapes.ts'

/** What becomes of one resource, or of a part of one. */
export interface Finding {
  readonly id: string
  readonly type: string
  readonly fate: Fate
  readonly text: string
}

export interface Plan {
  /** By name: what a rule file says. */
  readonly rules: Readonly<Record<string, Values>>
  readonly resources: Required<ResourcesInput>
  /** By name: IoT policy documents. */
  readonly policies: Readonly<Record<string, unknown>>
  /** Queues with a function behind them: a consumer of the gateway takes its place. */
  readonly consumed: readonly string[]
  readonly findings: readonly Finding[]
}

/** Throws where a value of a resource that is run cannot be known, or is not what it should be. */
export function translate(template: Template, place: Place): Plan {
  const resolve = createResolver(template, place)
  const findings: Finding[] = []
  const collected = {
    rules: {} as Record<string, Values>,
    queues: {} as Queues,
    topics: {} as Topics,
    policies: {} as Record<string, unknown>,
    consumed: [] as string[],
    standIns: new Map<string, string>(),
  }
  const entries = Object.entries(template.Resources)
  for (const [id, resource] of entries) {
    const { Type: type, Condition: condition } = resource
    if (!Object.hasOwn(resourceTypes, type)) continue
    const note: Draft['note'] = (fate, text) => findings.push({ id, type, fate, text })
    if (condition !== undefined) note('unsupported', `${id} is there whatever its condition ${condition} says`)
    const at = `Resources.${id}.Properties`
    const values = resolve(resource.Properties ?? {}, at) as Values
    parseAs(propertyShapes[type]!, values, at, invalidConfig)
    const name = nameOf(id, resource, (value) => String(resolve(value, `Resources.${id}`)))
    resourceTypes[type]!({ name, values, metadata: resource.Metadata ?? {} }, { ...collected, note })
  }
  for (const [id, resource] of entries) {
    const { Type: type } = resource
    if (Object.hasOwn(resourceTypes, type)) continue
    const harmless = collected.standIns.get(functionOf(id, resource, resolve)) ?? whyHarmless(type)
    findings.push({ id, type, fate: harmless === undefined ? 'unsupported' : 'ignored', text: harmless ?? `${type} is not run here` })
  }
  const { rules, queues, topics, policies, consumed } = collected
  return { rules, resources: { queues, topics }, policies, consumed, findings }
}

/** The function that a resource is, or belongs to. */
function functionOf(id: string, resource: Resource, resolve: Resolve): string {
  if (!resource.Type.startsWith('AWS::Lambda::')) return ''
  if (resource.Type === 'AWS::Lambda::Function') return nameOf(id, resource, (value) => String(resolve(value, `Resources.${id}`)))
  return targetName(String(resolve(resource.Properties?.FunctionName ?? '', `Resources.${id}`)))
}
