// @hey-api/openapi-ts: npx openapi-ts -i "$API/openapi.json". Node wants the extensions of the files it imports.
export default {
  output: { path: "generated/hey", importFileExtension: ".js" },
};
