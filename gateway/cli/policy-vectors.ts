// A policy question as one line of JSON: policies, who asks, what for.
import { z } from 'zod'
import { parseJsonText } from '../../lib/json-file.ts'
import { parseAs } from '../../lib/problems.ts'
import { createArns, ownerOf } from '../access/arn.ts'
import { compilePolicies, type Verdict } from '../access/policy.ts'
import { parsePolicyDocument } from '../access/policy-document.ts'
import { invalidConfig } from '../errors.ts'

const attributesSchema = z.record(z.string(), z.array(z.string()))

const vectorSchema = z.strictObject({
  id: z.string(),
  section: z.string().optional(),
  source: z.string().optional(),
  policies: z.array(z.unknown()),
  action: z.string(),
  resource: z.string(),
  context: z
    .strictObject({
      clientId: z.string().optional(),
      thing: z
        .strictObject({
          name: z.string(),
          attachedToPrincipal: z.boolean().optional(),
          thingTypeName: z.string().optional(),
          attributes: z.record(z.string(), z.string()).optional(),
        })
        .nullable()
        .optional(),
      certificate: z
        .strictObject({
          CertificateId: z.string().optional(),
          SerialNumber: z.string().optional(),
          AvailableKeys: z.string().optional(),
          Subject: attributesSchema.optional(),
          Issuer: attributesSchema.optional(),
        })
        .nullable()
        .optional(),
      sourceIp: z.string().optional(),
      domainName: z.string().optional(),
      connectAttributes: z.array(z.string()).optional(),
      lastWillTopic: z.string().optional(),
    })
    .default({}),
  expect: z.strictObject({ decision: z.enum(['allow', 'explicitDeny', 'implicitDeny']) }).optional(),
})

export type PolicyVector = z.infer<typeof vectorSchema>

/** One line of a vector file. Throws CONFIG_INVALID, naming the line, for anything it does not know. */
export function parseVector(text: string, lineNumber: number): PolicyVector {
  const where = `line ${lineNumber}`
  return parseAs(vectorSchema, parseJsonText(text, where, invalidConfig), where, invalidConfig)
}

export function evaluateVector({ policies, action, resource, context }: PolicyVector, name: string): Verdict {
  const documents = policies.map((policy, index) => parsePolicyDocument(policy, `${name}: policies[${index}]`))
  return compilePolicies(documents)
    .bind({ ...context, lastWillTopic: willArn(context.lastWillTopic, resource) })
    .decide(action, resource)
}

/** The will's ARN, in the region and account of the client that connects. */
function willArn(topic: string | undefined, resource: string): string | undefined {
  const owner = ownerOf(resource)
  return topic === undefined || !owner ? undefined : createArns(owner).topic(topic)
}
