"""Values that the rooms of the importer hand to each other: frozen, no IO."""
