"""A local Mews for rehearsals. Shares no rule with the rest of the importer."""
