// The members below the top level of a body that its decoder reads, in the spelling of surface/field-names.ts. decode-tools.ts reports
// tools, decode-contents.ts parts of the model's turns.
import { type Shape } from '../fit/left-over.js'

const PART: Shape = {
  members: {
    text: true,
    thought: true,
    thoughtSignature: true,
    inlineData: true,
    fileData: true,
    functionCall: true,
    functionResponse: { members: { id: true, name: true, response: true, parts: true } },
    // Those of the model, and what is foreign, are reported by their decoder.
    executableCode: true,
    codeExecutionResult: true,
  },
}

/** The shapes of the top-level members that are read in parts. */
export const KNOWN_MEMBERS: Readonly<Record<string, Shape>> = Object.freeze<Record<string, Shape>>({
  contents: { items: { members: { role: true, parts: { items: PART } } } },
  systemInstruction: { members: { role: true, parts: { items: { members: { text: true } } } } },
  toolConfig: { members: { functionCallingConfig: { members: { mode: true, allowedFunctionNames: true } } } },
  generationConfig: {
    members: {
      ...{ temperature: true, topP: true, topK: true, maxOutputTokens: true, stopSequences: true, seed: true },
      ...{ presencePenalty: true, frequencyPenalty: true, responseSchema: true, responseJsonSchema: true },
      // Only values other than the default are reported.
      ...{ responseMimeType: true, candidateCount: true, responseModalities: true },
      // Thoughts are shown wherever the provider shows them.
      thinkingConfig: { members: { includeThoughts: true, thinkingBudget: true, thinkingLevel: true } },
    },
  },
})
