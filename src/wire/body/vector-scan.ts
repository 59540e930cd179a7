// Proves in one pass that a body is one JSON object, by the vectors of WebAssembly. Nearly all bodies are proved here; those that are not
// sound, or hold something rare, are left to the walk in JavaScript (body-scan.ts). A body is copied into one memory, which all bodies of
// a thread use in turn.
//
// The step of a coding agent, 215 KB with an escape each 14 bytes, takes 0.09 ms, two thirds of what it takes in JavaScript (Node 20.20).

/** What vector-scan.wat has where. */
const SHORT_TEXTS_AT = 512
const MEMBERS_AT = 0x400
const LONG_TEXTS_AT = 0x4400
const BODY_AT = 0xc400
/** Behind a body, as zeros. */
const END_BYTES = 64
const PAGE_BYTES = 65_536
/** Of 32 bits: a body has a hundred different short strings, and 2048 bits tell nearly all names apart from them. */
export const SHORT_TEXT_WORDS = 64

/** The memory grows to the largest body and stays: larger ones are not worth that. The long texts of a larger one would have no room. */
export const MAX_VECTOR_BYTES = 4 * 1024 * 1024
/** There is room for so many members, */
export const MAX_VECTOR_MEMBERS = 1000
/** and for so many levels. */
export const MAX_VECTOR_DEPTH = 255

/** What vector-scan.wat exports. */
type Exports = {
  readonly memory: WebAssembly.Memory
  readonly letters: WebAssembly.Global
  readonly members: WebAssembly.Global
  readonly texts: WebAssembly.Global
  readonly scan: (length: number, maxDepth: number, maxMembers: number) => number
}

/** What was found in a body: views of a memory, to be read before the next body. */
export type VectorShape = {
  /** Four numbers for each top-level member: where its name begins and ends, quotes included, and where its value does. */
  readonly members: Uint32Array
  /** Start and end of each string value of 1 KB or more, with its quotes. */
  readonly longTexts: Uint32Array
  /** 2048 bits. */
  readonly shortTexts: Int32Array
  readonly escapesLetters: boolean
}

export class VectorScan {
  readonly #exports: Exports
  #bytes: Uint8Array
  #shortTexts: Int32Array

  constructor(exports: Exports) {
    this.#exports = exports
    this.#bytes = new Uint8Array(exports.memory.buffer)
    this.#shortTexts = this.#viewShortTexts()
  }

  /**
   * Null where the module has no verdict: the body is not one JSON object within these limits, is too large, or has a number that could be
   * Infinity. It need not be UTF-8.
   */
  scan(body: Uint8Array, maxDepth: number, maxMembers: number): VectorShape | null {
    const { letters, members, texts, scan } = this.#exports
    if (body.length > MAX_VECTOR_BYTES || !this.#hasRoom(BODY_AT + body.length + END_BYTES)) return null
    this.#bytes.set(body, BODY_AT)
    this.#bytes.fill(0, BODY_AT + body.length, BODY_AT + body.length + END_BYTES)
    this.#shortTexts.fill(0)
    letters.value = 0
    members.value = 0
    texts.value = 0
    if (scan(body.length, Math.min(maxDepth, MAX_VECTOR_DEPTH), Math.min(maxMembers, MAX_VECTOR_MEMBERS)) === 0)
      return null
    return {
      members: this.#wordsAt(MEMBERS_AT, 4 * members.value),
      longTexts: this.#wordsAt(LONG_TEXTS_AT, 2 * texts.value),
      shortTexts: this.#shortTexts,
      escapesLetters: letters.value === 1,
    }
  }

  #wordsAt(at: number, count: number): Uint32Array {
    return new Uint32Array(this.#bytes.buffer, at, count)
  }

  #viewShortTexts(): Int32Array {
    return new Int32Array(this.#bytes.buffer, SHORT_TEXTS_AT, SHORT_TEXT_WORDS)
  }

  #hasRoom(bytes: number): boolean {
    const missing = bytes - this.#bytes.length
    if (missing <= 0) return true
    const { memory } = this.#exports
    try {
      memory.grow(Math.ceil(missing / PAGE_BYTES))
    } catch {
      return false
    }
    // The one before has no bytes any more.
    this.#bytes = new Uint8Array(memory.buffer)
    this.#shortTexts = this.#viewShortTexts()
    return true
  }
}

/** Null where the processor has no such vectors, or the process may not reserve the memory. */
export function createVectorScan(base64 = CODE): VectorScan | null {
  try {
    const module = new WebAssembly.Module(Buffer.from(base64, 'base64'))
    return new VectorScan(new WebAssembly.Instance(module).exports as Exports)
  } catch {
    return null
  }
}

/** vector-scan.wat as WebAssembly, in base64; written by `npm run wat`. */
const CODE =
  'AGFzbQEAAAABDQJgA39/fwF/YAF/AX8DCgkAAAEBAQEBAQEFAwEAAgYVBH8BQQALfwFBAAt/AUEAC38BQQALBy0FBm1lbW9yeQIAB2xldHRlcn' +
  'MDAAdtZW1iZXJzAwEFdGV4dHMDAgRzY2FuAAAK8Q4JoQMBBn9BgIgDEAMhAyADLQAAQfsARwRAQQAPCwNAIAMtAAAhBAJAIARBIkYEQCADIQUg' +
  'BRAGIQMgAyAFa0GACE4EQEGAiAEjAkEDdGohBiAGIAVBgIgDazYCACAGIANBgIgDazYCBCMCQQFqJAILIAMNAUEADwsgBEEgckH7AEYEQCAHQQ' +
  'FqIQcgByABSwRAQQAPCyAHIAQ6AIAGIANBAWoQAyEDIAMtAAAgBEECakYNAQUgAxAFIQMgAw0BQQAPCyAEQfsARgRAIAMhBSAFEAIhAyADRQRA' +
  'QQAPCyAHQQFGBEAgBSADIAIQASEIIAhFBEBBAA8LCwsMAQsDQCAHQQFGIAhBAEdxBEAgCCADQYCIA2s2AgxBACEICyADEAMhAyADLQAAIQQgBy' +
  '0AgAYhBiAEQSxGBEAgA0EBahADIQMgBkH7AEcNAiADIQUgBRACIQMgA0UEQEEADwsgB0EBRw0CIAUgAyACEAEhCCAIDQJBAA8LIAQgBkECakcE' +
  'QEEADwsgA0EBaiEDIAdBAWshByAHDQALCyADEANBgIgDayAARgtHAQF/IwEgAk8EQEEADwtBgAgjAUEEdGohAyMBQQFqJAEgAyAAQYCIA2s2Ag' +
  'AgAyMDQYCIA2s2AgQgAyABQYCIA2s2AgggAws+ACAALQAAQSJHBEBBAA8LIAAQBiEAIABFBEBBAA8LIAAkAyAAEAMhACAALQAAQTpHBEBBAA8L' +
  'IABBAWoQAws3AQF/A0AgAC0AACEBIAFBIEsEQCAADwtCAUKAzICAECABrYiDUARAIAAPCyAAQQFqIQAMAAsACywAIAAtAABBMGtBCUsEQEEADw' +
  'sDQCAAQQFqIQAgAC0AAEEwa0EJTQ0ACyAAC4ACAQN/IAAoAAAhAiACQfTk1asGRgRAIABBBGoPCyACQe7qseMGRgRAIABBBGoPCyACQebCsZsH' +
  'RiAALQAEQeUARnEEQCAAQQVqDwsgACEBIAJB/wFxIQMgA0EtRgRAIABBAWohAAsgAC0AAEEwRgRAIABBAWohAAUgABAEIQAgAEUEQEEADwsLIA' +
  'AtAABBLkYEQCAAQQFqEAQhACAARQRAQQAPCwsgACABa0HIAUsEQEEADwsgAC0AAEEgckHlAEYEQCAAQQFqIQAgAC0AACEDIANBK0YgA0EtRnIE' +
  'QCAAQQFqIQALIAAhASAAEAQhACAAIAFrQQJKBEBBAA8LCyAAC2EBBH8gAEEBahAHIQEgASAAa0ECayECIAJBH00EQEGx893xeSACQcEHbCAALQ' +
  'ABQR9saiABQQJrLQAAamxBFXYhAyADQQV2QQJ0IQQgBCAEKAKABEEBIAN0cjYCgAQLIAEL3wUDCnsGfgJ/QSL9DyEHQdwA/Q8hCEEg/Q8hCSAA' +
  '/QAAACEBIAEgB/0j/WQhESARBEAgASAI/SMgASAJ/Sb9UP1kIRIgEiARQQAgEWtxQQFrcUUEQCAAQQFqIBFoag8LC0EP/Q8hCv0MAAANAAgABA' +
  'AAAAAAAgAEASEF/QwAAAEAAAIECAAAAAAAAAAAIQYCQANAIAD9AAAAIQEgAP0AABAhAiAA/QAAICEDIAD9AAAwIQQgASAH/SP9ZCACIAf9I/1k' +
  'QRB0cq0gAyAH/SP9ZCAEIAf9I/1kQRB0cq1CIIaEIQsgASAI/SP9ZCACIAj9I/1kQRB0cq0gAyAI/SP9ZCAEIAj9I/1kQRB0cq1CIIaEIQxCAC' +
  'ENIAEgAv13IAMgBP13/XcgCf0m/VMEQCABIAn9Jv1kIAIgCf0m/WRBEHRyrSADIAn9Jv1kIAQgCf0m/WRBEHRyrUIghoQhDQtCACEOIAxCAFIE' +
  'QCAMQgGGIQ4gDkLVqtWq1arVqtUAIAwgDEKq1arVqtWq1ap/gyAOQn+Fg3xCAYaFgyEOIAsgDkJ/hYMhCwsgC0IAIAt9g0IBfSEPQgAgDSAPg1' +
  'INASAOIA+DIRAgEEIAUgRAIBD9DAAAAAAAAAAAAAAAAAAAAAAgBSABIAr9Tv0OIAYgAUEE/W39Dv1O/SP9ZP0MAAAAAAAAAAAAAAAAAAAAACAF' +
  'IAIgCv1O/Q4gBiACQQT9bf0O/U79I/1kQRB0cq39DAAAAAAAAAAAAAAAAAAAAAAgBSADIAr9Tv0OIAYgA0EE/W39Dv1O/SP9ZP0MAAAAAAAAAA' +
  'AAAAAAAAAAACAFIAQgCv1O/Q4gBiAEQQT9bf0O/U79I/1kQRB0cq1CIIaEgyEQA0AgEEIAUgRAIAAgEHqnahAIRQ0EIBAgEEIBfYMhEAwBCwsL' +
  'IAtCAFIEQCAAQQFqIAt6p2oPCyAAQcAAIAwgDkJ/hYNCP4ina2ohAAwACwtBAAuaAQEEfyAALQAAQfUARwRAQQAPCyAALQABLQCAAiEBIAAtAA' +
  'ItAIACIQIgAC0AAy0AgAIhAyAALQAELQCAAiEEIAFFBEBBAA8LIAJFBEBBAA8LIANFBEBBAA8LIARFBEBBAA8LIAEgAmpBAkYEQCADQQFrQQR0' +
  'IARBAWtqIQMgA0EgckHhAGtBGkkgA0HfAEZyBEBBASQACwtBAQsLKQMAQbACCwoBAgMEBQYHCAkKAEHBAgsGCwwNDg8QAEHhAgsGCwwNDg8Q'
