// The building stones of parameter schemas that several actions share.
import { z } from 'zod'

/** A parameter that AWS does not have: it works here, `weir doctor` lists it, and deploying maps or refuses it. */
export function localOnly<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ description, localOnly: true })
}

export function isLocalOnly(schema: z.ZodType): boolean {
  return schema.meta()?.localOnly === true
}

export const roleArn = z.string().min(1).optional().describe('role AWS assumes; needed there, ignored here')

/** true when the text holds a substitution template [AWS iot-substitution-templates]. */
export function isTemplate(text: string): boolean {
  return text.includes('${')
}
