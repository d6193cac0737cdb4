// Parameter schemas and template helpers that several actions share.
import { z } from 'zod'
import type { BoundAction, Delivery, Template } from './action.ts'

/** A parameter that AWS does not have. `weir doctor` lists it, and the stack maps or refuses it. */
export function localOnly<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ description, localOnly: true })
}

export function isLocalOnly(schema: z.ZodType): boolean {
  return schema.meta()?.localOnly === true
}

export const roleArn = z.string().min(1).optional().describe('The role that AWS assumes. Required on AWS, ignored here.')

/** true when the text holds a substitution template [AWS iot-substitution-templates]. */
export function isTemplate(text: string): boolean {
  return text.includes('${')
}

/** The template of a target, for `BoundAction.pattern`. */
export function patternOf(text: string): Pick<BoundAction, 'pattern'> {
  return isTemplate(text) ? { pattern: text } : {}
}

/** Fills the template once per delivery: the order, the breaker and the call all ask for the target. */
export function oncePerDelivery(template: Template): Template {
  let last: Delivery | undefined
  let text = ''
  return (delivery) => {
    if (delivery === last) return text
    text = template(delivery)
    last = delivery
    return text
  }
}
